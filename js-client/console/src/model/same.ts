/** Keeps rows that say the same the same objects, so that nothing is drawn for nothing. */
export class Same<Row> {
  readonly #nameOf: (row: Row) => string;
  readonly #saying: (row: Row) => string;
  #kept = new Map<string, { readonly row: Row; readonly says: string }>();
  #rows: readonly Row[] = [];

  /**
   * @param nameOf tells rows apart
   * @param saying is all of a row that can change
   */
  constructor(nameOf: (row: Row) => string, saying: (row: Row) => string) {
    this.#nameOf = nameOf;
    this.#saying = saying;
  }

  /** The rows, with those of before in place of those that say no more. */
  keep(rows: readonly Row[]): readonly Row[] {
    const kept = new Map<string, { readonly row: Row; readonly says: string }>();
    const next = rows.map((row) => {
      const says = this.#saying(row);
      const before = this.#kept.get(this.#nameOf(row));
      const entry = before?.says === says ? before : { row, says };
      kept.set(this.#nameOf(row), entry);
      return entry.row;
    });
    this.#kept = kept;
    const unchanged = next.length === this.#rows.length && next.every((row, index) => row === this.#rows[index]);
    if (!unchanged) this.#rows = next;
    return this.#rows;
  }
}
