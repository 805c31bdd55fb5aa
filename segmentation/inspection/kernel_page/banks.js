// ---- shared memory: 32 banks of 4 bytes side by side, a row of 128 bytes below the other

function banks_card() {
  const shared = trace.buffers.filter(b => b.shared && b.bytes > 0 && launch_now().blocks.some(k => k.steps.some(s => s.parts.some(p => p.buffer === b.index))));
  if (!shared.length) return null;
  const turns = element('div', {class: 'turns'}), said = element('p', {class: 'sub num conflicts'});
  const maps = shared.map(b => new BankMap(b));
  watchers.push(() => {
    const step = step_now(), phases = step ? phases_of(step, trace) : [];
    draw_turns(turns, phases);
    const total = sum(phases.map(ways_of));
    said.textContent = !phases.length ? 'This step does not access shared memory.' :
      `${phases.length === 1 ? 'The lanes go' : `${phases.length} groups of lanes go one after the other,`} in ${total} ${total === 1 ? 'turn' : 'turns'}` +
      (total > phases.length ? `: ${total - phases.length} more than without bank conflicts.` : ': no bank conflict.');
    said.classList.toggle('bad', total > phases.length);
    for (const m of maps) m.draw(step);
    turns.style.width = maps[0].canvas.width + 'px';
  });
  return card(element('h3', {}, 'Shared memory'), element('div', {class: 'scroll'}, turns), said, maps.map(m => m.figure),
    element('div', {class: 'legend'}, [['var(--read-now)', 'read in this step'], ['var(--s1)', 'written in this step'], ['var(--s5)', 'words of one bank that wait for each other'],
      ['var(--s7)', 'written by a store'], ['var(--s6)', 'copied by cp.async or TMA'], ['var(--faint)', 'zeros of cp.async']].map(([c, text]) => element('span', {class: 'key'}, swatch(c), text))),
    element('p', {class: 'sub'}, 'A column is a bank. Lanes of a group that want different words of one bank take turns; the same word is given to all at once.'));
}

// A line for each group of lanes: how many distinct words it wants of each bank.
function draw_turns(to, phases) {
  to.replaceChildren(...phases.map((phase, i) => element('div', {class: 'turn'}, phase.map((words, bank) =>
    element('span', {class: words.size > 1 ? 'bank conflict' : words.size ? 'bank used' : 'bank', title: `group ${i}, bank ${bank}: ${words.size} words`}, words.size > 1 ? String(words.size) : '')))));
}

class BankMap {
  constructor(buffer) {
    this.buffer = buffer;
    const [low, high] = launch_now().touched(buffer.index);
    this.first = low >> 7;  // a row is 128 bytes
    this.rows = Math.max(1, Math.ceil(high / 128) - this.first);
    this.canvas = element('canvas', {class: 'banks', 'aria-label': buffer.name, onclick: e => this.pick(e), onmousemove: e => this.say(e)});
    this.caption = element('p', {class: 'sub num caption'}, ' ');
    this.around = element('div', {class: 'banks-around'}, this.canvas);
    this.figure = element('figure', {class: 'array'}, element('h3', {}, buffer.name, ' ', element('span', {class: 'faint num'}, bytes(high - low), ' used')), this.around, this.caption);
  }
  lay_out() {
    this.width = this.around.clientWidth;
    this.cell = {w: Math.max(6, Math.min(34, Math.floor(this.width / 32))), h: this.rows <= 24 ? 14 : this.rows <= 64 ? 9 : 6};
    this.canvas.width = 32 * this.cell.w;
    this.canvas.height = this.rows * this.cell.h;
    this.painted = undefined;
  }
  word_under(e) {
    const box = this.canvas.getBoundingClientRect();
    return (this.first + Math.floor((e.clientY - box.top) / box.height * this.rows)) * 32 + Math.min(31, Math.floor((e.clientX - box.left) / box.width * 32));
  }
  text(word) {
    const found = state_now().word(this.buffer.index, word), where = `byte ${launch_now().shared_byte(this.buffer, word * 4)}, bank ${word % 32}`;
    if (!found) return `${where}: nothing was written yet`;
    const from = found.source && trace.buffers[found.source.buffer];
    return `${where}: ${found.kind === 'box_load' ? 'copied by TMA' : `by thread ${thread_of(found.warp, found.lane)}`} in step ${found.step + 1}` +
      (from ? `, from ${from.run_text(...from.elements(found.source.offset, 4))}` : '');
  }
  say(e) { this.caption.textContent = this.text(this.word_under(e)); }
  pick(e) {
    const found = state_now().word(this.buffer.index, this.word_under(e));
    if (found) choose({step: found.step, thread: thread_of(found.warp, found.lane), playing: false});
  }
  // What was written so far is kept as a picture, to which steps forward add their words.
  paint_words(state) {
    const {steps} = block_now(), words = state.words.get(this.buffer.index);
    if (this.painted === undefined || this.painted > state.at || this.painted_for !== state) {
      this.picture = element('canvas', {width: this.canvas.width, height: this.canvas.height});
      this.picture.getContext('2d').globalAlpha = .45;
      for (const word of words?.keys() || []) this.paint(this.picture.getContext('2d'), words, word * 4, 4);
      this.painted = state.at;
      this.painted_for = state;
    }
    const context = this.picture.getContext('2d');
    for (; this.painted < state.at; ++this.painted)
      for (const part of steps[this.painted + 1].parts) {
        if (part.buffer !== this.buffer.index || !part.writes) continue;
        if (part.kind === 'box_load') this.paint(context, words, part.base, part.bytes);
        else part.each_lane((_, offset) => this.paint(context, words, offset, part.bytes));
      }
  }
  paint(context, words, offset, bytes) {
    for (let word = Math.floor(offset / 4); word * 4 < offset + bytes; ++word) {
      const found = words.get(word), x = word % 32 * this.cell.w, y = (Math.floor(word / 32) - this.first) * this.cell.h;
      context.fillStyle = colour(found.kind === 'shared_store' || found.kind === 'shared_atomic' ? '--s7' : found.source || found.kind === 'box_load' ? '--s6' : '--faint');
      context.clearRect(x + 1, y + 1, this.cell.w - 1, this.cell.h - 1);
      context.fillRect(x + 1, y + 1, this.cell.w - 1, this.cell.h - 1);
    }
  }
  draw(step) {
    if (!this.width || this.width !== this.around.clientWidth) this.lay_out();
    const context = this.canvas.getContext('2d'), state = state_now();
    context.fillStyle = colour('--line');
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.paint_words(state);
    context.drawImage(this.picture, 0, 0);
    this.draw_step(context, step);
    this.canvas.dataset.step = chosen.step;
  }
  draw_step(context, step) {
    if (!step) return;
    const crowded = new Map(), parts = step.of('shared', trace).filter(p => p.buffer === this.buffer.index && !p.kind.startsWith('mbarrier'));
    for (const phase of phases_of(step, trace)) for (const words of phase) if (words.size > 1) for (const key of words) crowded.set(key, true);
    let top = Infinity, bottom = 0;
    for (const part of parts)
      part.each_lane((lane, offset) => {
        for (let word = Math.floor(offset / 4); word * 4 < offset + Math.max(part.kind === 'ldmatrix' ? 16 : 0, part.bytes); ++word) {
          const row = Math.floor(word / 32) - this.first, x = word % 32 * this.cell.w, y = row * this.cell.h;
          context.fillStyle = colour(part.writes ? '--s1' : '--read-now');
          context.fillRect(x + 1, y + 1, this.cell.w - 1, this.cell.h - 1);
          if (crowded.has(part.buffer + ':' + word)) {
            context.fillStyle = colour('--s5');
            context.fillRect(x + 1, y + this.cell.h - Math.max(2, this.cell.h / 3), this.cell.w - 1, Math.max(2, this.cell.h / 3));
          }
          top = Math.min(top, y), bottom = Math.max(bottom, y + this.cell.h);
        }
      });
    if (top < Infinity) this.show_rows(top, bottom);
  }
  show_rows(top, bottom) {
    const {scrollTop, clientHeight} = this.around;
    if (top < scrollTop || bottom > scrollTop + clientHeight) this.around.scrollTop = Math.max(0, (top + Math.min(bottom, top + clientHeight)) / 2 - clientHeight / 2);
  }
}
