import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Path of a file of the shared sample data, or undefined where the checkout has none. Tests only. */
export function sharedData(path: string): string | undefined {
  const fallback = fileURLToPath(new URL("../../../../shared/data", import.meta.url));
  const file = `${process.env.CYTOMESH_TEST_DATA ?? fallback}/${path}`;
  return existsSync(file) ? file : undefined;
}

/** A small ontology: a diamond (T cell ∧ memory), an obsolete term, a foreign parent, an unlabelled term. */
export const SMALL_OBO = `format-version: 1.2
ontology: test

! a comment line
[Term]
id: CL:0000000
name: cell

[Term]
id: CL:0000988
name: hematopoietic cell
is_a: CL:0000000 ! cell

[Term]
id: CL:0000084
name: T cell
synonym: "T lymphocyte" EXACT [ISBN:0781735149]
synonym: "mature T cell" RELATED []
synonym: "the \\"T\\" cell" EXACT []
is_a: CL:0000988 {is_inferred="true"} ! hematopoietic cell
relationship: develops_from CL:0000827 ! pro-T cell

[Term]
id: CL:0000813
name: memory T cell
is_a: CL:0000084 ! T cell
is_a: CL:0000084 ! T cell again

[Term]
id: CL:0000624
name: CD4-positive, alpha-beta T cell
is_a: CL:0000084
is_a: GO:0005623 ! outside

[Term]
id: CL:0000897
name: CD4-positive, alpha-beta memory T cell
is_a: CL:0000624
is_a: CL:0000813
is_a: CL:0000988

[Term]
id: CL:0000001
name: obsolete something
is_obsolete: true
replaced_by: CL:0000084

[Term]
id: CL:0009999
is_a: CL:0000084

[Term]
id: GO:0005623
name: foreign

[Typedef]
id: develops_from
name: develops from
`;
