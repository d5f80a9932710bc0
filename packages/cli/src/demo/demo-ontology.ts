import type { Ontology, OntologyResource, OntologyTerms } from "@cytomesh/ontology";
import { buildResource, compileOntology, parseObo } from "@cytomesh/ontology";

/** id, label, is_a parents, exact synonyms: the part of the Cell Ontology that covers blood, leaving terms out. */
const TERMS: readonly (readonly [id: string, label: string, parents: string, synonym?: string])[] = [
  ["CL:0000000", "cell", ""],
  ["CL:0000988", "hematopoietic cell", "CL:0000000"],
  ["CL:0000081", "blood cell", "CL:0000988"],
  ["CL:0000738", "leukocyte", "CL:0000988", "white blood cell"],
  ["CL:0000842", "mononuclear leukocyte", "CL:0000738"],
  ["CL:0000542", "lymphocyte", "CL:0000842"],
  ["CL:0000084", "T cell", "CL:0000542", "T lymphocyte"],
  ["CL:0002419", "mature T cell", "CL:0000084"],
  ["CL:0000789", "alpha-beta T cell", "CL:0000084"],
  ["CL:0000791", "mature alpha-beta T cell", "CL:0000789 CL:0002419"],
  ["CL:0000898", "naive T cell", "CL:0002419"],
  ["CL:0000813", "memory T cell", "CL:0002419"],
  ["CL:0000815", "regulatory T cell", "CL:0002419", "Treg"],
  ["CL:0000624", "CD4-positive, alpha-beta T cell", "CL:0000791"],
  ["CL:0000625", "CD8-positive, alpha-beta T cell", "CL:0000791"],
  ["CL:0000895", "naive thymus-derived CD4-positive, alpha-beta T cell", "CL:0000624 CL:0000898"],
  ["CL:0000897", "CD4-positive, alpha-beta memory T cell", "CL:0000624 CL:0000813"],
  ["CL:0000900", "naive thymus-derived CD8-positive, alpha-beta T cell", "CL:0000625 CL:0000898"],
  ["CL:0000913", "effector memory CD8-positive, alpha-beta T cell", "CL:0000625 CL:0000813"],
  ["CL:0001065", "innate lymphoid cell", "CL:0000542"],
  ["CL:0000623", "natural killer cell", "CL:0001065", "NK cell"],
  ["CL:0000945", "lymphocyte of B lineage", "CL:0000542"],
  ["CL:0000236", "B cell", "CL:0000945", "B lymphocyte"],
  ["CL:0000785", "mature B cell", "CL:0000236"],
  ["CL:0000788", "naive B cell", "CL:0000785"],
  ["CL:0000787", "memory B cell", "CL:0000785"],
  ["CL:0000946", "antibody secreting cell", "CL:0000945"],
  ["CL:0000786", "plasma cell", "CL:0000946"],
  ["CL:0000763", "myeloid cell", "CL:0000988"],
  ["CL:0000766", "myeloid leukocyte", "CL:0000738 CL:0000763"],
  ["CL:0000576", "monocyte", "CL:0000842 CL:0000766"],
  ["CL:0000860", "classical monocyte", "CL:0000576"],
  ["CL:0000875", "non-classical monocyte", "CL:0000576"],
  ["CL:0000451", "dendritic cell", "CL:0000842"],
  ["CL:0000990", "conventional dendritic cell", "CL:0000451"],
  ["CL:0000784", "plasmacytoid dendritic cell", "CL:0000451"],
  ["CL:0000233", "platelet", "CL:0000763 CL:0000081", "thrombocyte"],
];

/** The demo's ontology as OBO text: 37 real terms of the Cell Ontology with the is_a edges among them. */
export const DEMO_ONTOLOGY_OBO: string = [
  "format-version: 1.2",
  "ontology: cytomesh/demo-blood",
  "remark: A small part of the Cell Ontology (CC BY 4.0, https://obophenotype.github.io/cell-ontology/).",
  ...TERMS.map(([id, label, parents, synonym]) =>
    [
      "\n[Term]",
      `id: ${id}`,
      `name: ${label}`,
      ...(synonym === undefined ? [] : [`synonym: "${synonym}" EXACT []`]),
      ...parents
        .split(" ")
        .filter((parent) => parent !== "")
        .map((parent) => `is_a: ${parent}`),
    ].join("\n"),
  ),
  "",
].join("\n");

/** The parsed terms, the resource to ship beside a model, and its compiled form. */
export function demoOntology(): { terms: OntologyTerms; resource: OntologyResource; ontology: Ontology } {
  const terms = parseObo(DEMO_ONTOLOGY_OBO);
  const resource = buildResource(terms, { root: "CL:0000000", prefix: "CL:" });
  return { terms, resource, ontology: compileOntology(resource, { terms }) };
}
