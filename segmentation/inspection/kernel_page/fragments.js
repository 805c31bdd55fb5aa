// ---- matrix fragments, drawn as they lie: which lane holds which element (PTX ISA, "Matrix fragments")

const lane_colour = lane => `hsl(${lane * 137 % 360} 55% var(--lane-light))`;

// [lane, register] of element (row, column).
const FRAGMENTS = {
  a16: (r, c) => [r % 8 * 4 + c % 8 / 2 | 0, (c >= 8 ? 4 : 0) + (r >= 8 ? 2 : 0) + c % 2],
  b16: (k, n) => [n * 4 + (k % 8 / 2 | 0), (k >= 8 ? 2 : 0) + k % 2],
  a8: (r, c) => [r % 8 * 4 + c % 4, (c >= 4 ? 2 : 0) + (r >= 8 ? 1 : 0)],
  b8: (k, n) => [n * 4 + k % 4, k >= 4 ? 1 : 0],
  d: (r, c) => [r % 8 * 4 + (c / 2 | 0), (r >= 8 ? 2 : 0) + c % 2],
};

// A matrix as a grid: in each cell the lane, or the value where it is known.
function fragment_grid(name, rows, columns, holder, values, mine) {
  const cells = [];
  for (let r = 0; r < rows; ++r)
    for (let c = 0; c < columns; ++c) {
      const [lane, register] = holder(r, c), value = values && values[r * columns + c], of_mine = lane === mine;
      cells.push(element('button', {
        class: 'held' + (of_mine ? ' mine' : ''), style: `background:${lane_colour(lane)}`, 'data-lane': lane, 'data-register': register, 'data-at': `${r},${c}`,
        title: `${name}[${r}, ${c}]: lane ${lane}, ${name.toLowerCase()}${register}${finite(value) ? ` = ${value}` : ''}`,
        onclick: () => choose({thread: thread_of(step_now().warp, lane)}),
      }, chosen.lanes === 'values' && finite(value) ? brief(value) : String(lane)));
    }
  return element('figure', {class: 'fragment', 'data-matrix': name}, element('figcaption', {class: 'sub num'}, `${name}, ${rows}x${columns}`),
    element('div', {class: 'held-grid', style: `grid-template-columns: repeat(${columns}, minmax(0, 1fr)); max-width: ${columns * 24}px`}, cells));
}
const brief = v => Number.isInteger(v) ? String(v) : Math.abs(v) >= 10 ? v.toFixed(0) : Math.abs(v) >= 1 ? v.toFixed(1) : v.toFixed(2).replace('0.', '.');

function product_view(step, mine) {
  const f = trace.fragments[step.extra - 1], tf32 = f ? f.k === 8 : trace.math === 'tf32', k = tf32 ? 8 : 16;
  const a = fragment_grid('A', 16, k, tf32 ? FRAGMENTS.a8 : FRAGMENTS.a16, f?.a, mine), b = fragment_grid('B', k, 8, tf32 ? FRAGMENTS.b8 : FRAGMENTS.b16, f?.b, mine);
  const d = fragment_grid('D', 16, 8, FRAGMENTS.d, f?.after, mine);
  const text = `One instruction of the whole warp: D (16x8) += A (16x${k}) times B (${k}x8)${f ? ` in ${f.type}, summed in float` : ''}. ` + held_text(f, k, mine);
  return [element('div', {class: 'scroll'}, element('div', {class: 'product'}, element('div'), b, a, d)), element('p', {class: 'sub num held-text'}, text),
    !f && element('p', {class: 'sub'}, 'The values of this product were not kept; those of the first ones of the launch are.')];
}
function held_text(f, k, mine) {
  const count = k === 8 ? [4, 2] : [8, 4];
  const values = (matrix, rows, columns, holder) => {
    const held = [];
    for (let r = 0; r < rows; ++r) for (let c = 0; c < columns; ++c) { const [lane, i] = holder(r, c); if (lane === mine) held[i] = shown(matrix[r * columns + c], 3); }
    return held.join(', ');
  };
  if (!f) return `Each lane holds ${count[0]} elements of A, ${count[1]} of B and 4 of D.`;
  return `Lane ${mine} holds of A ${values(f.a, 16, k, k === 8 ? FRAGMENTS.a8 : FRAGMENTS.a16)}; of B ${values(f.b, k, 8, k === 8 ? FRAGMENTS.b8 : FRAGMENTS.b16)}; ` +
    `of D ${values(f.before, 16, 8, FRAGMENTS.d)} before and ${values(f.after, 16, 8, FRAGMENTS.d)} behind it.`;
}

// Four matrices of 8x8 halves: lane i names row i % 8 of matrix i / 8; who gets an element follows from its place.
function ldmatrix_view(step, mine) {
  const transposed = step.extra === 1, part = step.of('shared', trace)[0];
  const grids = [0, 1, 2, 3].map(m => {
    const holder = transposed ? (r, c) => [c * 4 + (r / 2 | 0), m * 2 + r % 2] : (r, c) => [r * 4 + (c / 2 | 0), m * 2 + c % 2];
    const grid = fragment_grid(`M${m}`, 8, 8, holder, null, mine);
    const rows = Array.from({length: 8}, (_, r) => `lane ${m * 8 + r}: byte ${part ? launch_now().shared_byte(trace.buffers[part.buffer], part.offset_of(m * 8 + r)) : '–'}`);
    return element('div', {class: 'named'}, grid, element('p', {class: 'sub num', title: rows.join('\n')}, `rows named by lanes ${m * 8} to ${m * 8 + 7}, from byte ${part ? launch_now().shared_byte(trace.buffers[part.buffer], part.offset_of(m * 8)) : '–'} on`));
  });
  return [element('div', {class: 'matrices'}, grids), element('p', {class: 'sub num held-text'},
    `Each lane names the place of one row in shared memory, and gets two neighbouring elements ${transposed ? 'of a column (the matrices are transposed on the way) ' : ''}of each of the four matrices: lane ${mine} those that are framed.`)];
}

function warpgroup_view(step) {
  const p = trace.products[step.extra - 1];
  if (!p) return [element('p', {class: 'sub'}, 'A product of four warps, whose operands lie in shared memory.')];
  const rows = [['type', p.type], ['product', `64x${p.n}x16, one instruction of 128 threads`], ['A', `from byte ${p.a_offset} of dynamic shared memory${p.a_mn_major ? ', rows innermost' : ''}`],
                ['B', `from byte ${p.b_offset}${p.b_mn_major ? ', columns innermost' : ''}`], ['D', p.accumulates ? 'is added to' : 'begins anew']];
  const warp = step.warp % 4, held = fragment_grid('D', 16, 8, FRAGMENTS.d, null, chosen.thread === null ? 0 : chosen.thread & 31);
  return [element('table', {class: 'facts'}, element('tbody', {}, rows.map(([k, v]) => element('tr', {}, element('th', {}, k), element('td', {}, v))))),
    held, element('p', {class: 'sub'}, `Warp ${warp} of the four holds rows ${warp * 16} to ${warp * 16 + 15}; of each 8 columns a lane has what is drawn.`)];
}

function fragments_card() {
  const steps = block_now() ? block_now().steps.filter(s => ['ldmatrix', 'mma', 'wgmma'].includes(s.kind)) : [];
  if (!steps.length) return null;
  const content = element('div'), jump = element('button', {onclick: () => {
    const next = steps.find(s => s.index > chosen.step && (chosen.warp === null || s.warp === chosen.warp)) || steps[0];
    choose({step: next.index, playing: false});
  }}, 'next matrix instruction');
  const toggle = element('button', {onclick: () => choose({lanes: chosen.lanes === 'lanes' ? 'values' : 'lanes'})});
  let drawn = null;
  watchers.push(() => {
    const step = step_now(), mine = chosen.thread === null ? 0 : chosen.thread & 31, is = steps.includes(step);
    toggle.textContent = chosen.lanes === 'lanes' ? 'show values' : 'show lanes';
    const key = is && [chosen.launch, chosen.block, step.index, mine, chosen.lanes].join();
    if (key === drawn || chosen.playing && chosen.speed > 32) return;
    drawn = key;
    const view = !is ? [element('p', {class: 'sub'}, 'This step is no matrix instruction.')] :
      step.kind === 'mma' ? product_view(step, mine) : step.kind === 'ldmatrix' ? ldmatrix_view(step, mine) : warpgroup_view(step);
    redraw_in(content, ...view.filter(Boolean));
  });
  return card(element('h3', {}, 'Matrix fragments'), element('div', {class: 'controls'}, jump, toggle), content);
}
