// ---- the warp of the step, a thread of it, and an element of the result

function warp_card() {
  const boxes = Array.from({length: 32}, (_, lane) => element('button', {class: 'lane', 'data-lane': lane, onclick: () => choose({thread: thread_of(step_now().warp, lane)})}, String(lane)));
  const about = element('p', {class: 'num about'}), sectors = element('div', {class: 'sectors'}), note = element('p', {class: 'sub num'}), place = element('p', {class: 'sub num access'});
  watchers.push(() => {
    const step = step_now();
    if (!step) return;
    const family = COLOURS[family_of(step.kind)];
    boxes.forEach((box, lane) => {
      const on = Boolean(step.mask >>> lane & 1), thread = thread_of(step.warp, lane);
      box.className = 'lane' + (on ? ' on' : '') + (chosen.thread === thread ? ' mine' : '') + (thread >= launch_now().threads ? ' absent' : '');
      box.style.background = on ? `var(${family})` : '';
    });
    const lanes = lanes_in(step.mask);
    about.textContent = `Warp ${step.warp}: ${text_of_kind(step.kind)} by ${lanes.length === 32 ? 'all 32 lanes' : `${lanes.length} of 32 lanes`}` +
      (lanes.length < 32 ? `; ${32 - lanes.length} switched off` : '') + (bytes_of(step) ? `, ${bytes_of(step)}` : '');
    place.textContent = access_text(step);
    draw_sectors(sectors, note, step);
  });
  return card(element('h3', {}, 'The warp'), element('div', {class: 'lanes'}, boxes), about, place, sectors, note);
}
function bytes_of(step) {
  const part = step.parts.find(p => p.bytes > 0);
  return part && part.kind !== 'box_load' && part.kind !== 'box_store' ? `${part.bytes} bytes each` : part ? `${shown(part.bytes)} bytes` : '';
}

// What the chosen thread, or else the first lane, accesses in this step.
function access_text(step) {
  const lanes = lanes_in(step.mask), mine = chosen.thread !== null && chosen.thread >> 5 === step.warp ? chosen.thread & 31 : lanes[0];
  const texts = step.parts.filter(p => p.buffer >= 0).map(part => {
    const offset = part.offset_of(mine);
    if (offset === null) return null;
    if (part.kind.startsWith('box')) return box_text(part);
    const buffer = trace.buffers[part.buffer];
    if (buffer.shared) return `${part.writes ? 'to' : 'from'} shared memory, byte ${launch_now().shared_byte(buffer, offset)}`;
    return `${part.writes ? 'to' : 'from'} ${buffer.run_text(...buffer.elements(offset, part.bytes))}`;
  }).filter(Boolean);
  return texts.length ? `Lane ${mine} (thread ${thread_text(launch_now(), thread_of(step.warp, mine))}): ${texts.join(', ')}` : '';
}

// Sizes and places of a box are given innermost first.
function box_text(part) {
  const box = trace.boxes[part.extra - 1], at = part.buffer >= 0 ? `shared memory, byte ${part.base}` : 'shared memory';
  if (!box) return at;
  const tensor = `the ${box.box.join('x')} box at (${box.at.join(', ')}) of ${trace.buffers[box.buffer]?.name ?? '?'} (channels first)`;
  return part.kind === 'box_load' ? `${tensor} to ${at}` : `${at} to ${tensor}`;
}

const word_asked = bytes => bytes === 15 ? 2 : bytes ? 1 : 0;

// A global access: the sectors of 32 bytes that it moves, and in each what lanes asked for.
function draw_sectors(to, note, step) {
  const sectors = [...sectors_of(step, trace)].sort((a, b) => a[0].localeCompare(b[0], 'en', {numeric: true})), most = 64;
  to.replaceChildren(...sectors.slice(0, most).map(([, asked]) => element('span', {class: 'sector'},
    Array.from({length: 8}, (_, w) => element('i', {class: ['', 'asked part', 'asked'][word_asked(asked >>> 4 * w & 15)]})))));
  const asked = sectors.reduce((n, [, bytes]) => n + lanes_in(bytes).length, 0);
  note.textContent = sectors.length ? `${sectors.length} sectors of 32 bytes move; lanes asked for ${asked} of ${sectors.length * 32} bytes (${percent(asked / sectors.length / 32)})` : '';
}

// ---- a thread: all that it does in this block

function thread_card() {
  const input = element('input', {type: 'number', min: 0, 'aria-label': 'thread', onchange: e => choose({thread: e.target.value === '' ? null : Math.max(0, Math.min(launch_now().threads - 1, Number(e.target.value)))})});
  const body = element('tbody'), said = element('p', {class: 'sub num'}), most = 400;
  let drawn = null;
  watchers.push(() => {
    const key = [chosen.launch, chosen.block, chosen.thread].join();
    if (key !== drawn) {
      drawn = key;
      input.value = chosen.thread ?? '';
      const rows = chosen.thread === null ? [] : own_steps(chosen.thread);
      body.replaceChildren(...rows.slice(0, most).map(thread_row));
      said.textContent = chosen.thread === null ? 'Click a lane above, or write its number: its own accesses are listed here and framed in the pictures.' :
        `Thread ${thread_text(launch_now(), chosen.thread)} (warp ${chosen.thread >> 5}, lane ${chosen.thread & 31}) takes part in ${rows.length} steps` +
        (rows.length > most ? `, of which the first ${most} are listed.` : '.') + owned_text(chosen.thread);
    }
    for (const row of body.children) row.classList.toggle('current', Number(row.dataset.step) === chosen.step);
  });
  return card(element('div', {class: 'controls'}, element('label', {}, 'thread', input), element('button', {onclick: () => choose({thread: null})}, 'none')), said,
    element('div', {class: 'scroll tall'}, element('table', {'data-table': 'thread'}, element('thead', {}, element('tr', {}, ['step', 'line', 'what', 'where'].map(t => element('th', {}, t)))), body)));
}
const own_steps = thread => block_now().steps.filter(s => s.has_lane(thread >> 5, thread & 31));
function thread_row(step) {
  const [file, line] = trace.frame(step.site), lane = chosen.thread & 31;
  const where = step.parts.filter(p => p.buffer >= 0 && p.offset_of(lane) !== null).map(p => {
    const buffer = trace.buffers[p.buffer], offset = p.offset_of(lane);
    return buffer.shared ? `shared, byte ${launch_now().shared_byte(buffer, offset)}` : buffer.run_text(...buffer.elements(offset, p.bytes));
  });
  return element('tr', {'data-step': step.index, onclick: () => choose({step: step.index, playing: false})}, element('td', {class: 'num'}, String(step.index + 1)),
    element('td', {}, `${short_file(file)}:${line}`), element('td', {}, text_of_kind(step.kind)), element('td', {class: 'num-text'}, where.join(' → ')));
}
function owned_text(thread) {
  const texts = [];
  for (const [buffer, writers] of block_now().writers) {
    const own = [...writers].filter(([, w]) => thread_of(w.warp, w.lane) === thread).map(([index]) => index).sort((a, b) => a - b);
    if (own.length) texts.push(own.length === 1 ? trace.buffers[buffer].text(own[0]) : `${shown(own.length)} elements of ${trace.buffers[buffer].name}, from ${trace.buffers[buffer].text(own[0])} to ${trace.buffers[buffer].text(own[own.length - 1])}`);
  }
  return texts.length ? ` It writes ${texts.join('; ')}.` : ' It writes nothing to global memory.';
}

// ---- an element of a result: who writes it, and what it comes from

function origin_card() {
  const content = element('div', {class: 'origin'});
  const results = trace.buffers.filter(b => !b.shared && launch_now().blocks.some(k => k.writers.has(b.index)));
  const select = element('select', {'aria-label': 'array of the element'}, results.map(b => element('option', {value: b.index}, b.name)));
  const input = element('input', {type: 'text', size: 10, placeholder: 'n, h, w, c', 'aria-label': 'place of the element', onchange: () => choose_place()});
  const refused = element('p', {class: 'sub bad', role: 'alert'});
  const choose_place = () => {
    const buffer = trace.buffers[select.value], index = buffer.index_of(input.value);
    refused.textContent = index === null ? `${input.value} is no place in ${buffer.name}; expected ${buffer.tensor ? `four numbers below ${buffer.shape.join(', ')}` : `a number below ${buffer.count}`}.` : '';
    if (index !== null) choose({output: {buffer: buffer.index, index}, playing: false, follow: false});
  };
  let drawn = null;
  watchers.push(() => {
    const key = chosen.output && [chosen.launch, chosen.block, chosen.output.buffer, chosen.output.index].join();
    if (key === drawn && content.children.length) return;
    drawn = key;
    refused.textContent = '';
    if (chosen.output && results.some(b => b.index === chosen.output.buffer)) {
      select.value = chosen.output.buffer;
      input.value = trace.buffers[chosen.output.buffer].place_text(chosen.output.index);
    }
    redraw_in(content, ...origin_of(chosen.output));
  });
  return card(element('h3', {}, 'Where an element comes from'), results.length > 0 && element('div', {class: 'controls'}, select, input), refused, content);
}
function origin_of(output) {
  if (!output) return [element('p', {class: 'sub'}, 'Click an element of a result in the pictures, or write its place.')];
  const buffer = trace.buffers[output.buffer], value = buffer.value(output.index), writer = block_now().writers.get(output.buffer)?.get(output.index);
  const lines = [element('p', {class: 'num element'}, buffer.text(output.index) + (finite(value) ? ` = ${shown(value)}` : ''))];
  if (writer) {
    const thread = thread_of(writer.warp, writer.lane);
    const does = writer.atomic ? writer.times > 1 ? `is the last of ${writer.times} in this block to add to it,` : 'adds to it' : 'writes it';
    lines.push(element('p', {class: 'writer'}, `Thread ${thread_text(launch_now(), thread)} (warp ${writer.warp}, lane ${writer.lane}) ${does} in step ${writer.step + 1}. `,
      element('button', {onclick: () => choose({step: writer.step, thread, playing: false})}, 'go there')));
  } else {
    const elsewhere = launches.flatMap((l, i) => l.blocks.flatMap((b, k) => b.writers.get(output.buffer)?.has(output.index) ? [[i, k]] : []));
    lines.push(element('p', {class: 'writer'}, elsewhere.length ? 'Another block that is on this page writes it: ' : 'No block that is on this page writes it.',
      elsewhere.slice(0, 1).map(([launch, block]) => element('button', {onclick: () => { show({launch, block}); choose({output}); }}, `launch ${launch + 1}, block ${launches[launch].blocks[block].name}`))));
  }
  const needs = needs_of(buffer, output.index);
  if (needs) lines.push(...needs_lines(needs, writer));
  else if (writer) lines.push(...read_lines(writer));
  return lines;
}
// Of an op without a definition here: what the writing thread itself has read from global memory before.
function read_lines(writer) {
  const found = thread_accesses(thread_of(writer.warp, writer.lane), writer.step, part => !part.writes);
  const rows = [...found].map(([index, elements]) => {
    const all = [...elements].sort((a, b) => a - b), buffer = trace.buffers[index];
    return element('tr', {'data-read': buffer.name}, element('td', {class: 'name'}, buffer.name), element('td', {class: 'num'}, shown(all.length)),
      element('td', {class: 'num-text'}, all.length > 1 ? `${buffer.text(all[0])} to ${buffer.text(all[all.length - 1])}` : buffer.text(all[0])));
  });
  if (!rows.length) return [element('p', {}, 'Its thread has read nothing from global memory itself: what it writes comes through shared memory or other threads.')];
  return [element('p', {}, 'Its thread has read by then, itself, from global memory:'),
    element('div', {class: 'scroll'}, element('table', {'data-table': 'thread read'}, element('thead', {}, element('tr', {}, ['array', 'elements', 'between'].map((t, i) => element('th', {class: i === 1 ? 'num' : ''}, t)))), element('tbody', {}, rows)))];
}
// Elements that the definition asks for, held against what the block has read by the time of the write.
function needs_lines(needs, writer) {
  const lines = [element('p', {}, `It comes from ${needs.text}:`)];
  const read = writer && new BlockState(trace, block_now());
  if (read) read.go(writer.step);
  const rows = [...needs.elements].filter(([buffer, elements]) => elements.size || needs.dead.has(buffer)).map(([buffer, elements]) => {
    const seen = read && [...elements].filter(i => read.reads_of(buffer, i) > 0).length, dead = needs.dead.get(buffer)?.size || 0;
    return element('tr', {'data-needs': trace.buffers[buffer].name}, element('td', {class: 'name'}, trace.buffers[buffer].name), element('td', {class: 'num'}, shown(elements.size)),
      element('td', {class: 'num'}, read ? shown(seen) : '–'), element('td', {class: 'num'}, dead ? shown(dead) : ''));
  });
  lines.push(element('div', {class: 'scroll'}, element('table', {'data-table': 'needs'}, element('thead', {}, element('tr', {},
    ['array', 'elements', 'read by then', 'padding'].map((t, i) => element('th', {class: i ? 'num' : ''}, t)))), element('tbody', {}, rows))),
    element('p', {class: 'sub'}, 'Read by then: by this block, before the write. Padding: taps beyond the border, which read nothing.'));
  for (const buffer of trace.buffers) {
    const {far} = needs.taps_beyond(buffer), most = 12;
    if (far.length) lines.push(element('p', {class: 'sub num far'}, `Taps of ${buffer.name} too far out to draw, at row, column: ${far.slice(0, most).map(t => `(${t.h}, ${t.w})`).join(', ')}${far.length > most ? ` and ${shown(far.length - most)} others` : ''}.`));
  }
  return lines;
}
