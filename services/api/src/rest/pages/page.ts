import { createHash } from "node:crypto";
import type { FastifyReply } from "fastify";
import { type Html, html } from "./html.ts";

const style = `
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--ok:#1a7f4b;--bad:#c0392b;--go:#2463b4}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1.5rem 1rem 4rem;font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}
p{margin:.4rem 0}.soft{opacity:.7}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;opacity:.75;font-size:.85rem}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto}code{font-size:.9em}
.ok{color:var(--ok)}.bad{color:var(--bad)}.go{color:var(--go)}
progress{width:8rem;vertical-align:middle}
ul.mesh{list-style:none;display:flex;flex-wrap:wrap;gap:.5rem;padding:0;margin:.5rem 0}
ul.mesh li{border:1px solid var(--line);border-radius:.5rem;padding:.3rem .7rem;background:var(--soft)}
`;

const styleHash = createHash("sha256").update(style).digest("base64");
/** Nothing may run, be loaded or be framed; the one style sheet is named by its hash. */
const contentSecurityPolicy = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** A whole page. */
export function page(o: { title: string; refreshSeconds?: number; body: Html }): string {
  const refresh =
    o.refreshSeconds === undefined ? "" : html`<meta http-equiv="refresh" content="${o.refreshSeconds}">`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${refresh}<title>${o.title}</title>
<style>${{ html: style }}</style>
</head>
<body>
${o.body}
</body>
</html>
`.html;
}

/** Send a page. */
export function sendPage(reply: FastifyReply, text: string): FastifyReply {
  return reply
    .header("content-security-policy", contentSecurityPolicy)
    .header("referrer-policy", "no-referrer")
    .header("cache-control", "no-store")
    .type("text/html; charset=utf-8")
    .send(text);
}
