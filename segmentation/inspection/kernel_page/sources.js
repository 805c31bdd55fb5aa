// ---- the source, with what each line costs

function heat_of_lines(launch) {
  const lines = new Map();
  for (const [site, counters] of Object.entries(table_of(launch.by_site))) {
    const [file, line] = trace.frame(Number(site));
    const key = file + ':' + line;
    if (!lines.has(key)) lines.set(key, {file, line, instructions: 0, sectors: 0, fewest: 0, conflicts: 0, turns: 0, sites: []});
    const heat = lines.get(key), groups = Object.values(counters).filter(c => c && typeof c === 'object');
    heat.sites.push(Number(site));
    heat.instructions += instructions_of(launch, counters);
    heat.sectors += sum(groups.map(g => g.sectors));
    heat.fewest += sum(groups.map(g => g.fewest_sectors));
    heat.turns += sum(groups.map(g => g.wavefronts));
    heat.conflicts += sum(groups.map(g => g.wavefronts - g.fewest_wavefronts));
  }
  return lines;
}

// Instructions of warps. Both sides of a cp.async are one; the barrier of a block is counted once a block, and all its warps
// go through it.
function instructions_of(launch, counters) {
  const groups = Object.entries(counters).filter(([name, c]) => c && typeof c === 'object' && name !== 'async_copy').map(([, c]) => c.requests);
  return sum(groups) + sum(COUNTED_ALONE.map(name => counters[name])) + (counters.block_barriers || 0) * Math.ceil(launch.threads / 32);
}
const COUNTED_ALONE = ['named_barriers', 'mbarrier_operations', 'warp_barriers', 'shuffles', 'votes', 'mma', 'wgmma', 'box_loads', 'box_stores'];

// Lines that cost something, with those around them; the gaps between are left out.
function sources_card() {
  const launch = launch_now(), heat = heat_of_lines(launch), files = [...new Set([...heat.values()].map(h => h.file))];
  for (const step of block_now() ? block_now().steps : []) {
    const [file, line] = trace.frame(step.site);
    if (!heat.has(file + ':' + line)) heat.set(file + ':' + line, {file, line, instructions: 0, sectors: 0, fewest: 0, conflicts: 0, turns: 0, sites: [step.site]});
    if (!files.includes(file)) files.push(file);
  }
  const most = key => Math.max(1, ...[...heat.values()].map(h => h[key])), highest = {sectors: most('sectors'), conflicts: most('conflicts'), turns: most('turns')};
  const rows = new Map(), around = element('div', {class: 'scroll source'});
  const body = files.flatMap(file => [element('tr', {class: 'file'}, element('th', {colspan: 6}, file)), ...lines_of(file, heat, highest, rows)]);
  around.append(element('table', {'data-table': 'source'}, element('thead', {}, element('tr', {}, ['sectors', 'turns', 'conflicts', 'steps', '', 'source'].map((t, i) =>
    element('th', {class: i < 5 ? 'num' : ''}, t)))), element('tbody', {}, body)));
  const calls = element('p', {class: 'sub num calls'});
  let lit = null;
  watchers.push(() => {
    const step = step_now(), [file, line] = step ? trace.frame(step.site) : ['', 0], row = rows.get(file + ':' + line);
    calls.textContent = step ? trace.frames(step.site).map(([f, l, name]) => `${short_file(f)}:${l}${name ? ` in ${short_name(name)}` : ''}`).join(' ← ') : '';
    if (row === lit) return;
    lit?.classList.remove('current');
    row?.classList.add('current');
    lit = row;
    if (row) scroll_to(around, row);
  });
  return card(element('h3', {}, 'The source'), calls, around, element('p', {class: 'sub'},
    'Counted over all blocks of the launch. Sectors: pieces of 32 bytes of global memory. Turns: of shared memory; conflicts: the turns that were lost to bank conflicts. Steps: instructions of warps, but for closing and awaiting asynchronous copies and products, which has no counter. Click a line to go to its next step.'));
}
const short_name = name => { const text = name.replace(/\(.*/, '').split('::').pop(); return text.length > 40 ? text.slice(0, 38) + '…' : text; };
function scroll_to(around, row) {
  const top = row.offsetTop, bottom = top + row.offsetHeight, head = 30;
  if (top < around.scrollTop + head || bottom > around.scrollTop + around.clientHeight) around.scrollTop = Math.max(0, top - around.clientHeight / 2);
}
function lines_of(file, heat, highest, rows) {
  const text = trace.lines_of(file), context = 2, body = [];
  const hot = [...heat.values()].filter(h => h.file === file).map(h => h.line).sort((a, b) => a - b);
  let last = 0;
  for (const line of hot) {
    const from = Math.max(last + 1, line - context);
    if (last && from > last + 1) body.push(element('tr', {class: 'gap'}, element('td', {colspan: 6}, '⋯')));
    const next = hot.find(l => l > line);
    const to = Math.min(text ? text.length : line, line + context, next ? next - 1 : Infinity);
    for (let l = from; l <= to; ++l) body.push(source_row(file, l, text ? text[l - 1] : '(its text was not found)', heat.get(file + ':' + l), highest, rows));
    last = to;
  }
  return body;
}
function source_row(file, line, text, heat, highest, rows) {
  const cell = key => {
    const value = heat ? heat[key] : 0, share = value / (highest[key] || Infinity);
    return element('td', {class: 'num', style: value && highest[key] ? `background:rgba(${key === 'conflicts' ? '214, 51, 108' : 'var(--heat)'}, ${(.08 + .5 * share).toFixed(2)})` : ''}, value ? shown(value) : '');
  };
  const row = element('tr', {class: heat ? 'hot' : '', 'data-line': `${short_file(file)}:${line}`}, cell('sectors'), cell('turns'), cell('conflicts'),
    element('td', {class: 'num'}, heat && heat.instructions ? shown(heat.instructions) : ''), element('td', {class: 'num faint'}, String(line)), element('td', {class: 'code'}, text));
  if (heat) {
    rows.set(file + ':' + line, row);
    row.addEventListener('click', () => next_of_line(heat.sites));
  }
  return row;
}
function next_of_line(sites) {
  const {steps} = block_now(), of_line = order.filter(i => sites.includes(steps[i].site));
  const next = of_line.find(i => i > chosen.step) ?? of_line[0];
  if (next !== undefined) choose({step: next, playing: false});
}
