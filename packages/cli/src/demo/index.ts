export { DEMO_CELL_TYPES, type DemoCellType } from "./cell-types.ts";
export { DEMO_ONTOLOGY_OBO, demoOntology } from "./demo-ontology.ts";
export { DEFAULT_MODEL, type ExpressionModel } from "./expression.ts";
export { DEFAULT_SIZES, type DemoSizes, generateStudies, type Study } from "./studies.ts";
export { type DemoFiles, writeStudies } from "./write-studies.ts";
