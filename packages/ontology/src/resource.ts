/**
 * The cell-ontology resource, as CAS-compatible servers store it beside a model and as clients download it
 * (without `ancestors_dictionary`). Snake case because it is a JSON file format, not an internal type.
 * Every id is written `CL:0000000`. Keys of every dictionary are in ascending id order when
 * `buildResource` made the file; readers keep the order they find.
 */
export interface OntologyResource {
  /** Every id, ascending. */
  cl_names: string[];
  /** id → label. */
  cell_ontology_term_id_to_cell_type: Record<string, string>;
  /** id → direct children, ascending; leaves have `[]`. */
  children_dictionary: Record<string, string[]>;
  /** id → edges on the shortest path from the root; ids the root does not reach are absent. */
  shortest_path_lengths_from_cell_root: Record<string, number>;
  /** id → edges on the longest path from the root; ids the root does not reach are absent. */
  longest_path_lengths_from_cell_root: Record<string, number>;
  /** id → every transitive ancestor, itself excluded, ascending. Its key order is the order of votes. */
  ancestors_dictionary: Record<string, string[]>;
}
