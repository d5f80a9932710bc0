import type { AnnData, ValidationProblem, ValidationProfile } from "./types.ts";

/** Everything wrong with the file under the profile; empty when nothing is. */
export function validateAnnData(_file: AnnData, _profile: ValidationProfile): ValidationProblem[] {
  return [];
}
