/**
 * What a search knows of an operation: rows of a table, and terms. A row's terms come in the order
 * of {@link TERM_GUARD}, {@link TERM_UNLESS}, {@link TERM_EFFECT}; each is about one key, a cell
 * of the state.
 */

/** The cell must match. */
export const TERM_GUARD = 0;
/** Not all terms of this kind may match: the condition that was false. */
export const TERM_UNLESS = 1;
/** The cell becomes this. */
export const TERM_EFFECT = 2;

/** As a value: the key does not exist. Values of the history are numbered from 0. */
export const ABSENT = -1;
/** As a guard's value: whichever value, but the key exists. */
export const PRESENT = -2;
/** As a cell's value: it may hold anything, or nothing. What is read first settles it. */
export const ANYTHING = -3;
/** As a guard's value: no state can match. */
export const IMPOSSIBLE = -4;

/** As a term's revision: none is known. */
export const NO_REVISION = -1;

/**
 * A cell's revision: known (0 and up), or only that it is above a bound: `-1 - bound`. A cell that
 * is absent has a bound alone: of the key's past.
 */
export function aboveRevision(bound: number): number {
  return -1 - bound;
}

function boundOf(revision: number): number {
  return revision >= 0 ? revision : -1 - revision;
}

/** Typed arrays that grow. All rows of a partition are neighbours, in the order of their calls. */
export class OperationTable {
  rows = 0;
  terms = 0;
  /** Which operation of the history it is. */
  source: Int32Array = new Int32Array(1024);
  call: Float64Array = new Float64Array(1024);
  /** Infinity where the row need not be placed. */
  end: Float64Array = new Float64Array(1024);
  /** 1: it has to be placed. 0: it may be. */
  required: Uint8Array = new Uint8Array(1024);
  /** 1: it changes nothing, whatever the state. */
  readOnly: Uint8Array = new Uint8Array(1024);
  /** The log position, -1: none. */
  position: Float64Array = new Float64Array(1024);
  /** The store's revision that a write made, by rank, or that a read saw; -1: none. */
  revision: Int32Array = new Int32Array(1024);
  /** First term; the row's terms end where the next row's begin. */
  firstTerm: Int32Array = new Int32Array(1025);
  /** Cells of a range read: all that exist there have a guard. -1: it is none. */
  rangeFrom: Int32Array = new Int32Array(1024);
  rangeTo: Int32Array = new Int32Array(1024);
  /** The other branch of a transaction whose end is not known: at most one is placed. -1: none. */
  twin: Int32Array = new Int32Array(1024);

  termKind: Uint8Array = new Uint8Array(2048);
  termCell: Int32Array = new Int32Array(2048);
  termValue: Int32Array = new Int32Array(2048);
  termRevision: Int32Array = new Int32Array(2048);

  /** Begins a row; its terms follow. */
  addRow(source: number, call: number, end: number): number {
    if (this.rows === this.source.length) this.#growRows();
    const row = this.rows++;
    this.source[row] = source;
    this.call[row] = call;
    this.end[row] = end;
    this.required[row] = end === Infinity ? 0 : 1;
    this.readOnly[row] = 1;
    this.position[row] = -1;
    this.revision[row] = NO_REVISION;
    this.rangeFrom[row] = -1;
    this.rangeTo[row] = -1;
    this.twin[row] = -1;
    this.firstTerm[row] = this.terms;
    this.firstTerm[row + 1] = this.terms;
    return row;
  }

  addTerm(kind: number, cell: number, value: number, revision: number): void {
    if (this.terms === this.termKind.length) this.#growTerms();
    const term = this.terms++;
    this.termKind[term] = kind;
    this.termCell[term] = cell;
    this.termValue[term] = value;
    this.termRevision[term] = revision;
    this.firstTerm[this.rows] = this.terms;
    if (kind === TERM_EFFECT) this.readOnly[this.rows - 1] = 0;
  }

  /** The terms of a row that are of one kind. */
  termsOf(row: number, kind: number): number[] {
    const terms: number[] = [];
    const end = this.firstTerm[row + 1] ?? 0;
    for (let term = this.firstTerm[row] ?? 0; term < end; term++) {
      if (this.termKind[term] === kind) terms.push(term);
    }
    return terms;
  }

  /**
   * Places a row on a state, whose cells begin at `base`. False: the state does not allow it; the
   * state is spoilt then. Where the state leaves open what the row saw, that is settled.
   */
  apply(row: number, values: Int32Array, revisions: Int32Array, base: number): boolean {
    const end = this.firstTerm[row + 1] ?? 0;
    let term = this.firstTerm[row] ?? 0;
    for (; term < end && this.termKind[term] === TERM_GUARD; term++) {
      if (!this.#observe(term, values, revisions, base)) return false;
    }
    let hasUnless = false;
    let allMatch = true;
    for (; term < end && this.termKind[term] === TERM_UNLESS; term++) {
      hasUnless = true;
      allMatch &&= this.#surelyMatches(term, values, revisions, base);
    }
    if (hasUnless && allMatch) return false;
    if (this.rangeFrom[row] !== -1 && !this.#holdsRange(row, values, base)) return false;
    for (; term < end; term++) {
      if (!this.#write(term, values, revisions, base)) return false;
    }
    return true;
  }

  #observe(term: number, values: Int32Array, revisions: Int32Array, base: number): boolean {
    const cell = (this.termCell[term] ?? 0) - base;
    const value = this.termValue[term] ?? 0;
    const revision = this.termRevision[term] ?? 0;
    const held = values[cell] ?? 0;
    if (held === ANYTHING) {
      if (value === PRESENT || value === IMPOSSIBLE) return value === PRESENT;
      values[cell] = value;
      if (value !== ABSENT && revision !== NO_REVISION) revisions[cell] = revision;
      return true;
    }
    if (value === PRESENT ? held === ABSENT : held !== value) return false;
    if (revision === NO_REVISION || held === ABSENT) return true;
    return observeRevision(revisions, cell, revision);
  }

  /** Where the state leaves it open, it is not sure. */
  #surelyMatches(term: number, values: Int32Array, revisions: Int32Array, base: number): boolean {
    const cell = (this.termCell[term] ?? 0) - base;
    const value = this.termValue[term] ?? 0;
    const revision = this.termRevision[term] ?? 0;
    const held = values[cell] ?? 0;
    if (held === ANYTHING) return false;
    if (value === PRESENT ? held === ABSENT : held !== value) return false;
    return revision === NO_REVISION || held === ABSENT || revisions[cell] === revision;
  }

  #holdsRange(row: number, values: Int32Array, base: number): boolean {
    const to = (this.rangeTo[row] ?? 0) - base;
    let found = 0;
    for (let cell = (this.rangeFrom[row] ?? 0) - base; cell < to; cell++) {
      const held = values[cell] ?? 0;
      if (held === ANYTHING) values[cell] = ABSENT;
      else if (held !== ABSENT) found++;
    }
    const end = this.firstTerm[row + 1] ?? 0;
    return found === end - (this.firstTerm[row] ?? 0);
  }

  #write(term: number, values: Int32Array, revisions: Int32Array, base: number): boolean {
    const cell = (this.termCell[term] ?? 0) - base;
    const value = this.termValue[term] ?? 0;
    const revision = this.termRevision[term] ?? 0;
    const held = values[cell] ?? 0;
    const bound = boundOf(revisions[cell] ?? 0);
    if (value === ABSENT && held === ABSENT) return revision === NO_REVISION || revision >= bound;
    // A key that may have been absent is no later than before: the revision is the store's.
    const isTelling = revision !== NO_REVISION && (held !== ANYTHING || value !== ABSENT);
    if (isTelling && revision <= bound) return false;
    values[cell] = value;
    if (!isTelling) revisions[cell] = aboveRevision(bound);
    else revisions[cell] = value === ABSENT ? aboveRevision(revision) : revision;
    return true;
  }

  #growRows(): void {
    const size = this.source.length * 2;
    this.source = grown(this.source, new Int32Array(size));
    this.call = grown(this.call, new Float64Array(size));
    this.end = grown(this.end, new Float64Array(size));
    this.required = grown(this.required, new Uint8Array(size));
    this.readOnly = grown(this.readOnly, new Uint8Array(size));
    this.position = grown(this.position, new Float64Array(size));
    this.revision = grown(this.revision, new Int32Array(size));
    this.firstTerm = grown(this.firstTerm, new Int32Array(size + 1));
    this.rangeFrom = grown(this.rangeFrom, new Int32Array(size));
    this.rangeTo = grown(this.rangeTo, new Int32Array(size));
    this.twin = grown(this.twin, new Int32Array(size));
  }

  #growTerms(): void {
    const size = this.termKind.length * 2;
    this.termKind = grown(this.termKind, new Uint8Array(size));
    this.termCell = grown(this.termCell, new Int32Array(size));
    this.termValue = grown(this.termValue, new Int32Array(size));
    this.termRevision = grown(this.termRevision, new Int32Array(size));
  }
}

/** Whether a cell that exists can be at a revision. It is from then on. */
function observeRevision(revisions: Int32Array, cell: number, revision: number): boolean {
  const known = revisions[cell] ?? 0;
  if (known >= 0) return known === revision;
  if (revision <= boundOf(known)) return false;
  revisions[cell] = revision;
  return true;
}

function grown<A extends Int32Array | Float64Array | Uint8Array>(old: A, bigger: A): A {
  bigger.set(old);
  return bigger;
}
