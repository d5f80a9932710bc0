/**
 * Does a path fit a pattern? `**` stands for anything, `*` for anything within a name, `?` for one character of a name; a pattern without
 * any of them fits every path that contains it, as grep would have it. The empty pattern fits everything.
 */
export function fits(pattern: string): (path: string) => boolean {
  if (pattern === "") return () => true;
  if (!/[*?]/.test(pattern)) return (path) => path.includes(pattern);
  const source = pattern.replace(/\*\*\/?|\*|\?|[\\^$.|+()[\]{}]/g, (token) => {
    if (token === "**/") return "(?:.*/)?";
    if (token === "**") return ".*";
    if (token === "*") return "[^/]*";
    return token === "?" ? "[^/]" : `\\${token}`;
  });
  // Without a folder in it, a glob is about the file's name, wherever the file is.
  const whole = new RegExp(pattern.includes("/") ? `^${source}$` : `^(?:.*/)?${source}$`, "u");
  return (path) => whole.test(path);
}
