import { thumbSize } from "../convert/thumbnail.ts";

/** How the contact sheet looks: dark, as fluorescence is judged. */
export const css = `:root{color-scheme:dark}
body{background:#111318;color:#e5e7eb;font:13px/1.45 system-ui,sans-serif;margin:24px}
h1{font-size:20px;font-weight:600;margin:0 0 8px}
p{color:#9ca3af;margin:0 0 12px;max-width:100ch}
.badges span{display:inline-block;border:1px solid;border-radius:4px;padding:1px 8px;margin-right:8px;font-weight:600}
.bad{color:#f87171}.warn{color:#facc15}.good{color:#4ade80}
details{margin:0 0 8px}details div{max-height:340px;overflow:auto}summary{cursor:pointer;padding:2px 0}
table{border-collapse:collapse;margin:4px 0 12px}
td,th{padding:3px 16px 3px 0;text-align:left;vertical-align:top;overflow-wrap:anywhere}
th{color:#9ca3af;font-weight:400}tr+tr td{border-top:1px solid #262a33}
td i{display:inline-block;height:8px;background:#60a5fa}
td.bad{white-space:nowrap}ul{margin:4px 0 12px;padding-left:20px}
nav{margin:8px 0;font-size:14px}nav a{color:#60a5fa;padding:0 3px}
.bar{display:flex;gap:18px;flex-wrap:wrap;align-items:center;margin:8px 0 12px;position:sticky;top:0;background:#111318;padding:10px 0;border-bottom:1px solid #262a33;z-index:1}
label{cursor:pointer;display:flex;gap:5px;align-items:center}.bar span{color:#9ca3af}input{margin:0}
.grid{display:grid;grid-template-columns:repeat(auto-fill,${thumbSize}px);gap:14px 12px;align-items:start}
figure{margin:0;content-visibility:auto;contain-intrinsic-size:${thumbSize}px ${thumbSize + 40}px}
figure[hidden],.field[hidden]{display:none}
.t{width:${thumbSize}px;height:${thumbSize}px}
figcaption{font-size:11px;margin-top:3px;min-height:32px}figcaption span{color:#9ca3af}figcaption b{font-weight:600}
.field{box-sizing:border-box;height:${thumbSize + 35}px;overflow:hidden;border-left:3px solid #60a5fa;padding:0 0 0 8px}
.field h2{font-size:20px;line-height:1;margin:0 0 4px}.field h3{font-size:11px;font-weight:600;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere;max-height:55px;overflow:hidden}
.field p{font-size:11px;line-height:1.35;margin:0}`;
