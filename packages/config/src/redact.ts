// Names that carry secrets whatever their builder says: a password in env.string() must not reach a log either.
const SECRET_NAME =
  /(?:PASS(?:WORD|WD|PHRASE)?|SECRET|TOKEN|CREDENTIALS?|PRIVATE_?KEY|API_?KEY|ACCESS_?KEY|SIGNING_?KEY)(?:_|$)/i;
const SECRET_PARAMETER = /pass|secret|token|key|credential|signature|^sig$/i;

/** Whether a variable of this name is treated as a secret. Names of files (`…_FILE`, `…_PATH`) and ids are not. */
export function looksSecret(variable: string): boolean {
  return SECRET_NAME.test(variable) && !/_(?:FILE|PATH|DIR|ID|URL|TTL|MS|COUNT|LIMIT)$/i.test(variable);
}

/** Masks the user info and secret-looking query values of anything that has the shape of a URL. */
export function redactUrls(text: string): string {
  return text
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/)([^\s/?#]*)@/gi, (_all, scheme: string, userInfo: string) => {
      const colon = userInfo.indexOf(":");
      return `${scheme}${colon > 0 ? `${userInfo.slice(0, colon)}:***` : "***"}@`;
    })
    .replace(/([?&])([^=&#\s]+)=([^&#\s]*)/g, (all, lead: string, key: string) =>
      SECRET_PARAMETER.test(key) ? `${lead}${key}=***` : all,
    );
}
