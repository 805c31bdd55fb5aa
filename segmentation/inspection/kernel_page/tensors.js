// ---- arrays in global memory, as pictures: planes of rows and columns, of one channel

const warp_colour = warp => `--s${warp % 10}`;

class Picture {
  constructor(buffer) {
    this.buffer = buffer;
    this.channel = 0;
    this.margin = 0;
    this.canvas = element('canvas', {class: 'tensor', 'aria-label': `${buffer.name}: click an element`,
                                     onclick: e => this.pick(e), onmousemove: e => this.say(e), onmouseleave: () => { this.caption.textContent = this.line(); }});
    this.caption = element('p', {class: 'sub num caption'});
    this.channels = !buffer.flat && buffer.dims[3] > 1 &&
      element('input', {type: 'range', min: 0, max: buffer.dims[3] - 1, value: 0, 'aria-label': `channel of ${buffer.name}`,
                        oninput: e => { this.channel = Number(e.target.value); choose({follow: false}); }});
    this.channel_text = element('span', {class: 'num'});
    const written = launch_now().blocks.some(b => b.writers.has(buffer.index));
    this.card = element('figure', {class: 'array', 'data-buffer': buffer.name}, element('h3', {}, buffer.name, ' ', element('span', {class: 'faint num'},
      [buffer.shape.join('x'), buffer.dtype, buffer.role].filter(Boolean).join(' · '))),
      this.channels && element('label', {class: 'controls'}, this.channels, this.channel_text),
      element('div', {class: 'scroll'}, this.canvas), this.caption);
    this.written = written;
    this.gray = this.grays();
  }
  // Values as bytes, from the smallest to the largest.
  grays() {
    const {values} = this.buffer, numbers = list(values).filter(finite);
    if (!numbers.length) return null;
    let low = Infinity, high = -Infinity;
    for (const v of numbers) low = Math.min(low, v), high = Math.max(high, v);
    return {low, high, of: v => finite(v) ? (high > low ? (v - low) / (high - low) : .5) : 0};
  }
  // How large a cell is, and where the planes lie: as many beside each other as fit.
  lay_out() {
    const [planes, rows, columns] = this.buffer.dims, m = this.margin, width = Math.max(160, this.canvas.parentElement.clientWidth);
    const h = rows + 2 * m, w = columns + 2 * m, gap = 6, tall = 420;
    const fits = zoom => {
      const across = Math.max(1, Math.floor((width + gap) / (w * zoom + gap)));
      return {across, fits: w * zoom <= width && Math.ceil(planes / across) * (h * zoom + gap) <= tall};
    };
    let zoom = 22;
    while (zoom > 2 && !fits(zoom).fits) --zoom;
    const across = Math.min(planes, fits(zoom).across);
    Object.assign(this, {zoom, across, gap: planes > 1 ? gap : 0, h, w});
    const down = Math.ceil(planes / across);
    this.canvas.width = across * (w * zoom + this.gap) - this.gap + 1;
    this.canvas.height = down * (h * zoom + this.gap) - this.gap + 1;
    this.laid = `${width} ${m}`;
  }
  corner(n) {
    return {x: (n % this.across) * (this.w * this.zoom + this.gap) + this.margin * this.zoom, y: Math.floor(n / this.across) * (this.h * this.zoom + this.gap) + this.margin * this.zoom};
  }
  element_under(e) {
    const box = this.canvas.getBoundingClientRect(), x = (e.clientX - box.left) / box.width * this.canvas.width, y = (e.clientY - box.top) / box.height * this.canvas.height;
    const [planes, rows, columns] = this.buffer.dims;
    const n = Math.floor(y / (this.h * this.zoom + this.gap)) * this.across + Math.floor(x / (this.w * this.zoom + this.gap)), at = n < planes && this.corner(n);
    if (!at) return null;
    const h = Math.floor((y - at.y) / this.zoom), w = Math.floor((x - at.x) / this.zoom);
    if (h < 0 || w < 0 || h >= rows || w >= columns) return null;
    const index = this.buffer.drawn_at(n, h, w, this.channel);
    return this.buffer.flat && index >= this.buffer.count ? null : index;
  }
  line() { return this.gray ? `values ${shown(this.gray.low)} (dark) to ${shown(this.gray.high)}` : ''; }
  say(e) {
    const index = this.element_under(e);
    if (index === null) return;
    const value = this.buffer.value(index), writer = block_now().writers.get(this.buffer.index)?.get(index);
    this.caption.textContent = [this.buffer.text(index) + (finite(value) ? ` = ${shown(value)}` : ''), writer && `written by thread ${thread_of(writer.warp, writer.lane)}`,
                                this.buffer && !writer && `read ${state_now().reads_of(this.buffer.index, index)} times so far`].filter(Boolean).join(' · ');
  }
  pick(e) {
    const index = this.element_under(e);
    if (index !== null) choose({output: {buffer: this.buffer.index, index}, playing: false, follow: false});
  }
  // Of the step that is shown: by element, whether it is read or written.
  touched() {
    const found = new Map(), step = step_now();
    if (!step) return found;
    for (const part of step.parts) {
      if (part.buffer === this.buffer.index)
        part.each_lane((lane, offset) => {
          const [first, last] = this.buffer.elements(offset, part.bytes);
          for (let i = first; i <= last; ++i) found.set(i, {lane, write: part.writes});
        });
      const box = box_of(part, trace);
      if (box?.buffer === this.buffer.index) for (const i of elements_of_box(box, this.buffer)) found.set(i, {lane: 0, write: part.kind === 'box_store'});
    }
    return found;
  }
  // Where an element was clicked, a channel that it needs, or its own.
  show_needed(needs) {
    this.show_one_of(chosen.output.buffer === this.buffer.index ? [chosen.output.index] : needs?.elements.get(this.buffer.index) || []);
  }
  show_one_of(elements) {
    const channels = new Set([...elements].map(i => this.buffer.cell(i).c));
    if (channels.size && !channels.has(this.channel)) this.channel = channels.values().next().value;
  }
  draw(needs) {
    const dead = needs ? needs.taps_beyond(this.buffer).near : [], [, rows, columns] = this.buffer.dims;
    const margin = dead.reduce((m, t) => Math.max(m, -t.h, -t.w, t.h - rows + 1, t.w - columns + 1), 0);
    if (margin !== this.margin || !this.laid || this.laid.split(' ')[0] !== String(Math.max(160, this.canvas.parentElement.clientWidth))) {
      this.margin = margin;
      this.lay_out();
    }
    const touched = this.touched();
    if (chosen.follow && this.channels && touched.size && ![...touched.keys()].some(i => this.buffer.cell(i).c === this.channel))
      this.channel = this.buffer.cell(touched.keys().next().value).c;
    if (this.channels) this.channels.value = this.channel, this.channel_text.textContent = `channel ${this.channel} of ${this.buffer.dims[3]}`;
    const context = this.canvas.getContext('2d');
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.draw_cells(context);
    this.draw_grid(context);
    this.draw_touched(context, touched);
    this.draw_thread(context);
    if (needs) this.draw_needs(context, needs, dead);
    this.canvas.dataset.step = chosen.step;
  }
  // Gray of the values; blue where it was read so far, or the colour of the warp that writes it.
  draw_cells(context) {
    const [planes, rows, columns] = this.buffer.dims, state = state_now(), writers = block_now().writers.get(this.buffer.index);
    const reads = state.reads.get(this.buffer.index), paper = rgb_of(colour('--cell')), ink = rgb_of(colour('--cell-ink')), read = rgb_of(colour('--s0'));
    this.sheet ||= element('canvas', {width: columns, height: rows * planes});
    const sheet = this.sheet.getContext('2d'), pixels = sheet.createImageData(columns, rows * planes), {data} = pixels;
    for (let n = 0, at = 0; n < planes; ++n)
      for (let h = 0; h < rows; ++h)
        for (let w = 0; w < columns; ++w, at += 4) {
          const index = this.buffer.drawn_at(n, h, w, this.channel), gray = this.gray ? this.gray.of(this.buffer.value(index)) : .5;
          if (this.buffer.flat && index >= this.buffer.count) continue;
          let tint = null, strength = 0;
          const writer = writers && writers.get(index);
          if (writer) {
            tint = rgb_of(colour(warp_colour(writer.warp)));
            strength = writer.step <= chosen.step ? .75 : .22;
          } else if (reads) {
            const count = reads.get(index) || 0;
            if (count) tint = read, strength = Math.min(.6, .22 + .06 * Math.log2(count));
          }
          for (let i = 0; i < 3; ++i) {
            const base = ink[i] + (paper[i] - ink[i]) * gray;
            data[at + i] = tint ? base + (tint[i] - base) * strength : base;
          }
          data[at + 3] = 255;
        }
    sheet.putImageData(pixels, 0, 0);
    context.imageSmoothingEnabled = false;
    for (let n = 0; n < planes; ++n) {
      const {x, y} = this.corner(n);
      context.drawImage(this.sheet, 0, n * rows, columns, rows, x, y, columns * this.zoom, rows * this.zoom);
    }
  }
  draw_grid(context) {
    if (this.zoom < 6) return;
    const [planes, rows, columns] = this.buffer.dims, z = this.zoom;
    context.strokeStyle = colour('--line');
    context.lineWidth = 1;
    context.beginPath();
    for (let n = 0; n < planes; ++n) {
      const {x, y} = this.corner(n);
      for (let h = 0; h <= rows; ++h) context.moveTo(x, y + h * z + .5), context.lineTo(x + columns * z, y + h * z + .5);
      for (let w = 0; w <= columns; ++w) context.moveTo(x + w * z + .5, y), context.lineTo(x + w * z + .5, y + rows * z);
    }
    context.stroke();
  }
  cell(index) {
    const {n, h, w, c} = this.buffer.cell(index), at = this.corner(n);
    return {x: at.x + w * this.zoom, y: at.y + h * this.zoom, here: c === this.channel};
  }
  // What this step touches: full in the channel that is drawn, a frame where it is another channel of the pixel.
  draw_touched(context, touched) {
    for (const here of [false, true])
      for (const [index, {write}] of touched) {
        const cell = this.cell(index);
        if (cell.here !== here) continue;
        context.fillStyle = context.strokeStyle = colour(write ? '--s1' : '--read-now');
        if (here) context.fillRect(cell.x + 1, cell.y + 1, this.zoom - 1, this.zoom - 1);
        else context.strokeRect(cell.x + 1.5, cell.y + 1.5, Math.max(1, this.zoom - 2), Math.max(1, this.zoom - 2));
      }
  }
  draw_thread(context) {
    const mine = chosen_accesses()?.get(this.buffer.index);
    if (!mine) return;
    context.lineWidth = Math.max(1, this.zoom / 9);
    context.strokeStyle = colour('--ink');
    for (const index of mine) {
      const cell = this.cell(index);
      if (cell.here) context.strokeRect(cell.x + 1, cell.y + 1, this.zoom - 1, this.zoom - 1);
    }
  }
  draw_needs(context, needs, dead) {
    const spot = (x, y, name, filled) => {
      context.beginPath();
      context.arc(x + this.zoom / 2 + .5, y + this.zoom / 2 + .5, Math.max(1, this.zoom / 4), 0, 7);
      context.fillStyle = context.strokeStyle = colour(name);
      context.lineWidth = Math.max(1, this.zoom / 10);
      if (filled) context.fill(); else context.stroke();
    };
    for (const index of needs.elements.get(this.buffer.index) || []) {
      const cell = this.cell(index);
      if (cell.here) spot(cell.x, cell.y, '--s2', true);
    }
    for (const {n, h, w} of dead) spot(this.corner(n).x + w * this.zoom, this.corner(n).y + h * this.zoom, '--s5', false);
    if (chosen.output.buffer === this.buffer.index) {
      const cell = this.cell(chosen.output.index);
      context.strokeStyle = colour('--s5');
      context.lineWidth = Math.max(2, this.zoom / 5);
      context.strokeRect(cell.x, cell.y, this.zoom + 1, this.zoom + 1);
    }
  }
}

// Of the chosen thread in this block, by array the elements that it reads and writes itself.
let accesses_of = {key: '', found: null};
function chosen_accesses() {
  if (chosen.thread === null || !block_now()) return null;
  const key = [chosen.launch, chosen.block, chosen.thread].join();
  if (accesses_of.key !== key) accesses_of = {key, found: thread_accesses(chosen.thread)};
  return accesses_of.found;
}
function thread_accesses(thread, last = Infinity, counts = () => true) {
  const found = new Map(), warp = thread >> 5, lane = thread & 31;
  for (const step of block_now().steps) {
    if (step.index > last || !step.has_lane(warp, lane)) continue;
    for (const part of step.of('global', trace)) {
      const offset = counts(part) ? part.offset_of(lane) : null;
      if (offset === null) continue;
      if (!found.has(part.buffer)) found.set(part.buffer, new Set());
      const [first, last] = trace.buffers[part.buffer].elements(offset, part.bytes);
      for (let i = first; i <= last; ++i) found.get(part.buffer).add(i);
    }
  }
  return found;
}

let pictures = [];
function tensors_card() {
  const used = new Set(launch_now().blocks.flatMap(b => b.steps.flatMap(s => s.parts.map(p => p.buffer)))), drawable = 65536;
  for (const step of launch_now().blocks.flatMap(b => b.steps))
    if (step.kind.startsWith('box') && step.extra) used.add(trace.boxes[step.extra - 1]?.buffer);
  const buffers = trace.buffers.filter(b => used.has(b.index) && !b.shared);
  pictures = buffers.filter(b => b.dims[0] * b.dims[1] * b.dims[2] <= drawable).map(b => new Picture(b));
  const left_out = buffers.filter(b => b.dims[0] * b.dims[1] * b.dims[2] > drawable);
  const follow = element('input', {type: 'checkbox', onchange: e => choose({follow: e.target.checked})});
  let needs = null, of = null, thread = null;
  watchers.push(() => {
    follow.checked = chosen.follow;
    if (of !== chosen.output) {
      of = chosen.output;
      needs = of && needs_of(trace.buffers[of.buffer], of.index);
      if (of) for (const p of pictures) p.show_needed(needs);
    }
    if (thread !== chosen.thread) {
      thread = chosen.thread;
      for (const p of pictures) p.show_one_of(chosen_accesses()?.get(p.buffer.index) || []);
    }
    for (const p of pictures) p.draw(chosen.output ? needs || new Needs() : null);
  });
  return card(element('h3', {}, 'Arrays in global memory'), element('div', {class: 'arrays'}, pictures.map(p => p.card)),
    left_out.length > 0 && element('p', {class: 'sub'}, `Too large to draw: ${left_out.map(b => b.name).join(', ')}.`),
    element('label', {class: 'controls'}, follow, 'show the channel that the step touches'),
    element('div', {class: 'legend'}, [['var(--read-now)', 'read in this step'], ['var(--s1)', 'written in this step'], ['var(--s0)', 'read before'],
      ['var(--s2)', 'needed by the clicked element'], ['var(--s5)', 'tap in the padding']].map(([c, text]) => element('span', {class: 'key'}, swatch(c), text))),
    element('p', {class: 'sub'}, 'Results have the colour of the warp that writes them, pale until it does. A frame: another channel of the pixel. Black frames: the chosen thread\'s. Click an element of a result to see where it comes from.'));
}
