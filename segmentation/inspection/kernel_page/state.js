// ---- what has happened in a block up to a step

const copied = value => value instanceof Map ? new Map([...value].map(([k, v]) => [k, v instanceof Map ? new Map(v) : v])) : value;

// Played forward step by step; going back plays from the latest picture before, of which there are at most 17.
class BlockState {
  constructor(trace, block) {
    Object.assign(this, {trace, block, saved: [], played: 0});
    this.every = Math.max(256, Math.ceil(block.steps.length / 16));
    this.reset();
  }
  reset() {
    this.at = -1;  // the last step that is in
    this.reads = new Map();  // by array the number of reads by element
    this.words = new Map();  // by array in shared memory: which step wrote each word, how
    this.arrived = new Map();  // barriers of the block that some warps have reached: warps
    this.barriers = 0;
    this.copies = Array.from({length: this.block.warps}, () => ({open: 0, groups: [], landed: 0}));
    this.mbarriers = new Map();
    this.boxes = [];
  }
  go(step) {
    if (step < this.at) this.go_back(step);
    while (this.at < step) {
      this.take(this.block.steps[++this.at]);
      ++this.played;
      if (this.at % this.every === 0) this.saved[this.at / this.every] ||= this.contents();
    }
  }
  go_back(step) {
    const saved = this.saved[Math.floor(step / this.every)];
    if (saved) Object.assign(this, this.contents(saved));
    else this.reset();
  }
  // A copy of all that steps change.
  contents(of = this) {
    const {at, barriers} = of, mbarriers = new Map([...of.mbarriers].map(([k, m]) => [k, {...m}]));
    return {at, barriers, mbarriers, reads: copied(of.reads), words: copied(of.words), arrived: copied(of.arrived), boxes: [...of.boxes],
            copies: of.copies.map(c => ({...c, groups: [...c.groups]}))};
  }
  take(step) {
    for (const part of step.parts) {
      if (part.buffer < 0) continue;
      const buffer = this.trace.buffers[part.buffer];
      if (buffer.shared) this.take_shared(step, part, buffer);
      else if (!part.writes) this.take_read(part, buffer);
    }
    const copies = this.copies[step.warp];
    if (step.kind === 'async_copy' || step.kind === 'async_write') ++copies.open;
    if (step.kind === 'async_commit') copies.groups.push(copies.open), copies.open = 0;
    if (step.kind === 'async_wait') while (copies.groups.length > step.extra) copies.landed += copies.groups.shift();
    if (step.kind === 'block_barrier') this.meet(step);
  }
  take_read(part, buffer) {
    part.each_lane((_, offset) => {
      const [first, last] = buffer.elements(offset, part.bytes);
      for (let e = first; e <= last; ++e) this.note_read(part.buffer, e);
    });
  }
  note_read(index, element) {
    if (!this.reads.has(index)) this.reads.set(index, new Map());
    const counts = this.reads.get(index);
    counts.set(element, (counts.get(element) || 0) + 1);
  }
  take_shared(step, part, buffer) {
    if (part.kind.startsWith('mbarrier')) return this.take_mbarrier(step, part);
    if (!part.writes) return;
    const box = part.kind === 'box_load' && box_of(part, this.trace);
    if (box) this.boxes.push(step.index);
    if (box && box.buffer >= 0) for (const e of elements_of_box(box, this.trace.buffers[box.buffer])) this.note_read(box.buffer, e);
    if (!this.words.has(part.buffer)) this.words.set(part.buffer, new Map());
    const words = this.words.get(part.buffer), from = step.parts.find(p => p.kind === 'async_copy');
    const write = (lane, offset, bytes) => {
      const source = from && from.offset_of(lane);
      for (let word = Math.floor(offset / 4); word * 4 < offset + bytes; ++word)
        words.set(word, {step: step.index, warp: step.warp, lane, kind: part.kind,
                         source: source === null || source === undefined ? null : {buffer: from.buffer, offset: source + word * 4 - offset}});
    };
    if (part.kind === 'box_load') write(0, part.base, part.bytes);
    else part.each_lane((lane, offset) => write(lane, offset, part.bytes));
  }
  // A phase ends when as many threads have arrived as the mbarrier was set up for.
  take_mbarrier(step, part) {
    const key = part.base;
    if (!this.mbarriers.has(key)) this.mbarriers.set(key, {count: 1, arrivals: 0, phase: 0, waits: 0});
    const m = this.mbarriers.get(key);
    if (part.kind === 'mbarrier_init') Object.assign(m, {count: step.extra || 1, arrivals: 0, phase: 0});
    if (part.kind === 'mbarrier_wait') ++m.waits;
    if (part.kind !== 'mbarrier_arrive') return;
    m.arrivals += lanes_in(part.mask).length;
    while (m.arrivals >= m.count) m.arrivals -= m.count, ++m.phase;
  }
  meet(step) {
    if (this.arrived.size === this.block.warps || this.arrived.has(step.warp)) this.arrived.clear();
    this.arrived.set(step.warp, step.index);
    if (this.arrived.size === this.block.warps) ++this.barriers;
  }
  word(buffer, word) { return this.words.get(buffer)?.get(word); }
  reads_of(buffer, element) { return this.reads.get(buffer)?.get(element) || 0; }
}

// ---- what is chosen, and who is to be told

const chosen = {launch: 0, block: 0, step: 0, warp: null, thread: null, output: null, playing: false, speed: 16, follow: true, lanes: 'lanes'};
const watchers = [];
function choose(change) {
  Object.assign(chosen, change);
  for (const redraw of watchers) redraw(change);
}

class Launch {
  constructor(trace, data, index) {
    Object.assign(this, data);
    this.trace = trace;
    this.index = index;
    this.threads = data.block[0] * data.block[1] * data.block[2];
    this.states = new Map();
  }
  // The bytes of an array that the launch touches: of static memory the emulator knows no bounds.
  touched(index) {
    this.ranges ||= new Map();
    if (this.ranges.has(index)) return this.ranges.get(index);
    let low = Infinity, high = 0;
    for (const block of this.blocks)
      for (const step of block.steps)
        for (const part of step.parts)
          if (part.buffer === index)
            part.each_lane((_, offset) => { low = Math.min(low, offset), high = Math.max(high, offset + (part.kind === 'ldmatrix' ? 16 : Math.max(4, part.bytes))); });
    const range = [Math.min(low, high), high];
    this.ranges.set(index, range);
    return range;
  }
  // A byte of shared memory as the page counts it: static memory from the first row of banks that is used.
  shared_byte(buffer, offset) { return buffer.name.startsWith('static') ? offset - (this.touched(buffer.index)[0] >> 7 << 7) : offset; }
  get of() { return `${this.grid.join('x')} blocks of ${this.block.join('x')} threads`; }
  state(block) {
    if (!this.states.has(block)) this.states.set(block, new BlockState(this.trace, this.blocks[block]));
    return this.states.get(block);
  }
}

let trace, launches;
const launch_now = () => launches[chosen.launch];
const block_now = () => launch_now().blocks[chosen.block];
const step_now = () => block_now()?.steps[chosen.step];
const is_playable = () => Boolean(block_now()?.steps.length);
function state_now() {
  const state = launch_now().state(chosen.block);
  state.go(chosen.step);
  return state;
}

// The steps that are played: all, or those of one warp.
const visible = () => {
  const steps = block_now()?.steps || [];
  return chosen.warp === null ? steps.map(s => s.index) : steps.filter(s => s.warp === chosen.warp).map(s => s.index);
};
let order = [];
function refresh_order() { order = visible(); }
// Where in what is played a step lies, or would lie.
function position() {
  let low = 0, high = order.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (order[middle] <= chosen.step) low = middle; else high = middle - 1;
  }
  return low;
}
function go_to(index) {
  if (order.length) choose({step: order[Math.max(0, Math.min(order.length - 1, index))]});
}
const thread_of = (warp, lane) => warp * 32 + lane;
function thread_text(launch, thread) {
  const [x, y] = launch.block;
  return launch.block[1] * launch.block[2] > 1 ? `${thread} (${thread % x}, ${Math.floor(thread / x) % y}, ${Math.floor(thread / x / y)})` : String(thread);
}
