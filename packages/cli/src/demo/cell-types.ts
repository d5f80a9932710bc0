/** A cell type of the demo: a leaf of the demo ontology. */
export interface DemoCellType {
  readonly termId: string;
  /** Term a study uses that annotates less finely. */
  readonly coarseTermId: string;
  /** Share of the cells of a blood sample, before each study's own tilt. */
  readonly abundance: number;
  /** Library size relative to a lymphocyte's. */
  readonly size: number;
}

/** Fourteen types, with shares as in blood mononuclear cells (the rarest raised, so that small demos have some). */
export const DEMO_CELL_TYPES: readonly DemoCellType[] = [
  { termId: "CL:0000895", coarseTermId: "CL:0000624", abundance: 0.16, size: 0.9 },
  { termId: "CL:0000897", coarseTermId: "CL:0000624", abundance: 0.14, size: 1 },
  { termId: "CL:0000815", coarseTermId: "CL:0000815", abundance: 0.04, size: 1 },
  { termId: "CL:0000900", coarseTermId: "CL:0000625", abundance: 0.08, size: 0.9 },
  { termId: "CL:0000913", coarseTermId: "CL:0000625", abundance: 0.1, size: 1 },
  { termId: "CL:0000623", coarseTermId: "CL:0000623", abundance: 0.09, size: 1 },
  { termId: "CL:0000788", coarseTermId: "CL:0000236", abundance: 0.08, size: 0.9 },
  { termId: "CL:0000787", coarseTermId: "CL:0000236", abundance: 0.05, size: 1 },
  { termId: "CL:0000786", coarseTermId: "CL:0000786", abundance: 0.02, size: 1.8 },
  { termId: "CL:0000860", coarseTermId: "CL:0000576", abundance: 0.13, size: 1.4 },
  { termId: "CL:0000875", coarseTermId: "CL:0000576", abundance: 0.04, size: 1.3 },
  { termId: "CL:0000990", coarseTermId: "CL:0000451", abundance: 0.03, size: 1.6 },
  { termId: "CL:0000784", coarseTermId: "CL:0000451", abundance: 0.02, size: 1.4 },
  { termId: "CL:0000233", coarseTermId: "CL:0000233", abundance: 0.02, size: 0.5 },
];
