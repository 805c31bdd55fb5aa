// Draws how a kernel runs, from the trace in the element "kernel" (kernels/gpu/trace.h says what stands in it). Names of
// files and functions go into the page as text alone, never as HTML.

// ---- words of the trace

const KINDS = {
  load: ['global load', 'read'], store: ['global store', 'write'], atomic: ['atomic on global memory', 'write'],
  shared_load: ['shared load', 'shared-read'], shared_store: ['shared store', 'shared-write'], shared_atomic: ['atomic on shared memory', 'shared-write'],
  async_copy: ['cp.async, global to shared', 'async'], async_write: ['cp.async that writes zeros', 'async'],
  async_commit: ['cp.async: close the group', 'async'], async_wait: ['cp.async: wait for groups', 'wait'],
  ldmatrix: ['ldmatrix', 'matrix'], mma: ['mma, product of fragments', 'matrix'], wgmma: ['wgmma, product of a warpgroup', 'matrix'], wgmma_wait: ['wgmma: wait', 'wait'],
  block_barrier: ['barrier of the block', 'wait'], named_barrier: ['named barrier', 'wait'], warp_barrier: ['barrier of the warp', 'wait'],
  shuffle: ['shuffle', 'exchange'], vote: ['vote', 'exchange'],
  mbarrier_init: ['mbarrier: set up', 'wait'], mbarrier_arrive: ['mbarrier: arrive', 'wait'], mbarrier_wait: ['mbarrier: wait for its phase', 'wait'],
  box_load: ['TMA: load a box', 'async'], box_store: ['TMA: store a box', 'async'],
};
const COLOURS = {read: '--s0', write: '--s1', 'shared-read': '--s2', 'shared-write': '--s7', async: '--s6', matrix: '--s3', wait: '--s5', exchange: '--s4'};
const FAMILIES = {read: 'global load', write: 'global store, atomic', 'shared-read': 'shared load', 'shared-write': 'shared store',
                  async: 'asynchronous copy', matrix: 'matrix', wait: 'barrier, wait', exchange: 'shuffle, vote'};
const text_of_kind = kind => KINDS[kind] ? KINDS[kind][0] : kind;
const family_of = kind => KINDS[kind] ? KINDS[kind][1] : 'exchange';

const lanes_in = mask => {
  const lanes = [];
  for (let lane = 0; lane < 32; ++lane) if (mask >>> lane & 1) lanes.push(lane);
  return lanes;
};
const short_file = path => path.slice(path.lastIndexOf('/') + 1);

// ---- arrays

class Buffer {
  constructor(data, index) {
    Object.assign(this, data);
    this.index = index;
    this.shared = this.role === 'shared';
    this.width = this.element_bytes || 4;
    const {shape} = this;
    this.tensor = shape.length === 4;
    this.step = this.tensor ? this.pitch || shape[3] : 1;
    // [planes, rows, columns, channels] as they are drawn, of which the last is chosen. A list of numbers, or a tensor without
    // rows and columns, has lines of 32.
    if (this.tensor && shape[1] * shape[2] > 1) {
      this.dims = shape;
    } else {
      this.count = this.tensor ? (shape[0] - 1) * this.step + shape[3] : shape.length ? shape.reduce((a, b) => a * b, 1) : Math.ceil(this.bytes / this.width);
      const columns = Math.min(32, this.count);
      this.flat = true;
      this.dims = [1, Math.ceil(this.count / columns), columns, 1];
    }
  }
  // Elements that lie in [offset, offset + bytes).
  elements(offset, bytes) {
    const first = Math.floor(offset / this.width), last = Math.max(first, Math.ceil((offset + bytes) / this.width) - 1);
    return [first, last];
  }
  // Where an element stands in its tensor.
  place(element) {
    if (!this.tensor) return {n: 0, h: 0, w: 0, c: element};
    const [, h, w] = this.shape, pixel = Math.floor(element / this.step), column = pixel % w, rest = Math.floor(pixel / w);
    return {n: Math.floor(rest / h), h: rest % h, w: column, c: element % this.step};
  }
  element_at(n, h, w, c) { return ((n * this.shape[1] + h) * this.shape[2] + w) * this.step + c; }
  // Where it is drawn: in a picture of the chosen channel, or in the lines of a list.
  cell(element) { return this.flat ? {n: 0, h: Math.floor(element / this.dims[2]), w: element % this.dims[2], c: 0} : this.place(element); }
  drawn_at(n, h, w, channel) { return this.flat ? h * this.dims[2] + w : this.element_at(n, h, w, channel); }
  // Its place among `values`, which hold no gaps between pixels.
  value(element) {
    if (!Array.isArray(this.values)) return undefined;
    if (!this.tensor || this.step === this.shape[3]) return this.values[element];
    const {n, h, w, c} = this.place(element);
    return c < this.shape[3] ? this.values[((n * this.shape[1] + h) * this.shape[2] + w) * this.shape[3] + c] : undefined;
  }
  text(element) {
    return `${this.name}[${this.place_text(element)}]`;
  }
  place_text(element) {
    const {n, h, w, c} = this.place(element);
    return this.tensor ? `${n}, ${h}, ${w}, ${c}` : String(element);
  }
  // The element at "n, h, w, c", or of a list at its number; null where there is none.
  index_of(text) {
    const at = text.split(/[\s,]+/).filter(Boolean).map(Number), below = this.tensor ? this.shape : [this.count];
    if (at.length !== below.length || !at.every((x, i) => Number.isInteger(x) && x >= 0 && x < below[i])) return null;
    return this.tensor ? this.element_at(...at) : at[0];
  }
  // Of neighbours: "x[0, 3, 4, 0 to 3]".
  run_text(first, last) {
    if (first === last) return this.text(first);
    if (!this.tensor) return `${this.name}[${first} to ${last}]`;
    const a = this.place(first), b = this.place(last);
    return a.n === b.n && a.h === b.h && a.w === b.w ? `${this.name}[${a.n}, ${a.h}, ${a.w}, ${a.c} to ${b.c}]` : `${this.text(first)} to ${this.text(last)}`;
  }
}

// ---- steps: an instruction of a warp

// One row of the trace: what a warp asks of one array.
class Part {
  constructor(trace, row) {
    const [kind, warp, site, mask, buffer = -1, base = 0, bytes = 0, pattern = 0, extra = 0] = row;
    Object.assign(this, {kind: trace.kinds[kind % 100], warp, site, mask: mask >>> 0, buffer, base, bytes, extra});
    this.offsets = trace.patterns[pattern] || [0];
  }
  // Calls f(lane, offset in the array).
  each_lane(f) {
    let at = 0;
    for (let lane = 0; lane < 32; ++lane) {
      if (!(this.mask >>> lane & 1)) continue;
      f(lane, this.base + (this.offsets.length === 1 ? at * this.offsets[0] : this.offsets[at]));
      ++at;
    }
  }
  offset_of(wanted) {
    let found = null;
    this.each_lane((lane, offset) => { if (lane === wanted) found = offset; });
    return found;
  }
  get writes() { return ['store', 'atomic', 'shared_store', 'shared_atomic', 'async_write', 'box_load'].includes(this.kind); }
}

class Step {
  constructor(index, part) {
    Object.assign(this, {index, kind: part.kind, warp: part.warp, site: part.site, mask: part.mask, extra: part.extra, parts: [part]});
  }
  // Rows of one instruction: those over several arrays, and both sides of a copy.
  takes(part, joined) {
    const other_side = part.kind === 'async_write' && this.kind === 'async_copy' && part.warp === this.warp &&
      !this.parts.some(p => p.kind === 'async_write');
    if (!joined && !other_side) return false;
    this.parts.push(part);
    this.mask = (this.mask | part.mask) >>> 0;
    return true;
  }
  of(space, trace) { return this.parts.filter(p => p.buffer >= 0 && trace.buffers[p.buffer].shared === (space === 'shared')); }
  has_lane(warp, lane) { return this.warp === warp && Boolean(this.mask >>> lane & 1); }
}

// Distinct sectors of 32 bytes that a global access touches, each with a bit for every byte that lanes asked for.
function sectors_of(step, trace) {
  const sectors = new Map();
  for (const part of step.of('global', trace))
    part.each_lane((_, offset) => {
      const end = offset + Math.max(1, part.bytes);
      for (let byte = offset; byte < end;) {
        const at = byte % 32, count = Math.min(32 - at, end - byte), key = part.buffer + ':' + Math.floor(byte / 32);
        sectors.set(key, (sectors.get(key) || 0) | (count === 32 ? -1 : ((1 << count) - 1) << at));
        byte += count;
      }
    });
  return sectors;
}

// The turns of a shared access: phases of lanes that go together, and in each by bank the distinct words that they want.
function phases_of(step, trace) {
  const phases = [];
  for (const part of step.of('shared', trace)) {
    if (!part.bytes || part.kind.startsWith('box') || part.kind.startsWith('mbarrier')) continue;
    const bytes = part.kind === 'ldmatrix' ? 16 : part.bytes, lanes = bytes <= 4 ? 32 : bytes <= 8 ? 16 : 8;
    part.each_lane((lane, offset) => {
      const phase = phases[Math.floor(lane / lanes)] ||= Array.from({length: 32}, () => new Set());
      for (let word = Math.floor(offset / 4); word * 4 < offset + bytes; ++word) phase[word % 32].add(part.buffer + ':' + word);
    });
  }
  return phases.filter(Boolean);
}
const ways_of = phase => Math.max(...phase.map(words => words.size));

// ---- boxes of the copy unit: sizes and places innermost first; what lies beyond the array is zeros

const box_of = (part, trace) => part.kind.startsWith('box') && part.extra ? trace.boxes[part.extra - 1] : null;
function elements_of_box(box, buffer) {
  if (!buffer.tensor) return [];
  const weights = box.at.length === 3, {shape} = buffer, channels = shape[3], found = [];  // of weights: channels, taps, filters
  const [planes, rows, columns] = buffer.one_line && !weights ? [1, 1, shape[0] * shape[1] * shape[2]] : shape;
  const [c0, w0, h0, n0 = 0] = weights ? [box.at[0], box.at[1], 0, box.at[2]] : box.at, [c1, w1, h1, n1 = 1] = weights ? [box.box[0], box.box[1], 1, box.box[2]] : box.box;
  for (let n = n0; n < Math.min(planes, n0 + n1); ++n)
    for (let h = Math.max(0, h0); h < Math.min(weights ? 1 : rows, h0 + h1); ++h)
      for (let w = Math.max(0, w0); w < Math.min(weights ? rows * columns : columns, w0 + w1); ++w)
        for (let c = c0; c < Math.min(channels, c0 + c1); ++c) found.push(buffer.element_at(n, h, w, c));
  return found;
}

class Block {
  constructor(trace, data) {
    this.place = data.block;
    this.steps = [];
    for (const row of data.rows) {
      const part = new Part(trace, row), joined = row[0] >= 100, last = this.steps[this.steps.length - 1];
      if (!last || !last.takes(part, joined)) this.steps.push(new Step(this.steps.length, part));
    }
    this.warps = 1 + Math.max(0, ...new Set(this.steps.map(s => s.warp)));
    const other = this.steps.some(s => s.kind === 'mbarrier_wait') && scheduled(this.steps, this.warps);
    if (other) this.steps = other.map((step, index) => Object.assign(step, {index}));
    this.writers = this.find_writers(trace);
  }
  // By array and element the step and lane that writes it last.
  find_writers(trace) {
    const writers = new Map();
    const note = (index, element, step, lane) => {
      if (!writers.has(index)) writers.set(index, new Map());
      const found = writers.get(index), atomic = step.kind === 'atomic';
      found.set(element, {step: step.index, warp: step.warp, lane, atomic, times: atomic ? 1 + (found.get(element)?.times || 0) : 0});
    };
    for (const step of this.steps) {
      for (const part of step.of('global', trace)) {
        if (!part.writes) continue;
        part.each_lane((lane, offset) => {
          const [first, last] = trace.buffers[part.buffer].elements(offset, part.bytes);
          for (let e = first; e <= last; ++e) note(part.buffer, e, step, lane);
        });
      }
      const box = step.kind === 'box_store' && box_of(step.parts[0], trace);
      if (box && box.buffer >= 0) for (const e of elements_of_box(box, trace.buffers[box.buffer])) note(box.buffer, e, step, lanes_in(step.mask)[0]);
    }
    return writers;
  }
  get name() { return this.place.join(', '); }
}

class Trace {
  constructor(data) {
    Object.assign(this, data);
    this.buffers = list(this.buffers).map((b, i) => new Buffer(b, i));
    // To a convolution of one tap without padding all pixels are one line (kernels/cuda/conv_wgmma.cu).
    const weight = this.buffers.find(b => b.name === 'weight' && b.tensor), one_tap = weight && weight.shape[1] * weight.shape[2] === 1 && !table_of(this.numbers).padding;
    for (const b of this.buffers) b.one_line = Boolean(one_tap);
    for (const launch of this.launches) launch.blocks = launch.blocks.map(b => new Block(this, b));
  }
  // The line that is shown of a site: the innermost, but of helpers that all kernels share the line that calls them.
  frame(site) {
    const frames = this.frames(site);
    return frames.find(([file]) => !file.startsWith('kernels/gpu/')) || frames[0] || ['?', 0, ''];
  }
  line_of(site) {
    const [file, line] = this.frame(site);
    return `${file}:${line}`;
  }
  lines_of(file) {
    if (this.sources[file] === undefined) return null;
    return (this.lines ||= {})[file] ||= this.sources[file].split('\n');
  }
  frames(site) { return this.sites[site] || []; }
}
