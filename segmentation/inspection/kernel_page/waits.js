// ---- who waits for what: barriers of the block, groups of cp.async, mbarriers

function waits_card() {
  const kinds = new Set(block_now() ? block_now().steps.map(s => s.kind) : []);
  const any = (...names) => names.some(n => kinds.has(n));
  if (!any('block_barrier', 'async_copy', 'async_write', 'mbarrier_wait', 'mbarrier_arrive', 'named_barrier', 'box_load')) return null;
  const content = element('div', {class: 'waits'});
  watchers.push(() => {
    const state = state_now(), step = step_now();
    content.replaceChildren(...[any('block_barrier') && barrier_view(state, step), any('async_copy', 'async_write') && copies_view(state),
      any('mbarrier_arrive', 'mbarrier_wait', 'box_load') && mbarriers_view(state)].filter(Boolean));
  });
  return card(element('h3', {}, 'Barriers and copies in flight'), content);
}
function barrier_view(state, step) {
  const {warps} = block_now(), waiting = state.arrived.size < warps ? state.arrived : new Map();
  const boxes = Array.from({length: warps}, (_, w) => element('span', {class: 'warp' + (waiting.has(w) ? ' waits' : '') + (step && step.warp === w ? ' runs' : ''), title: `warp ${w}`}, String(w)));
  const passed = `${state.barriers} ${state.barriers === 1 ? 'barrier is' : 'barriers are'} behind all warps`;
  return element('div', {}, element('div', {class: 'warps'}, boxes), element('p', {class: 'sub num barriers'},
    waiting.size ? `${passed}; ${waiting.size} of ${warps} warps wait at the next.` : `${passed}.`));
}
function copies_view(state) {
  const rows = state.copies.map((c, w) => element('tr', {}, element('td', {}, `warp ${w}`), element('td', {class: 'num'}, shown(c.open)),
    element('td', {class: 'num-text'}, c.groups.length ? c.groups.join(' + ') : '–'), element('td', {class: 'num'}, shown(c.landed))));
  return element('div', {}, element('div', {class: 'scroll tall'}, element('table', {'data-table': 'copies'}, element('thead', {}, element('tr', {},
    ['cp.async', 'begun', 'groups in flight', 'landed'].map((t, i) => element('th', {class: i % 2 ? 'num' : ''}, t)))), element('tbody', {}, rows))),
  element('p', {class: 'sub'}, 'In instructions of a warp. A copy goes on while the warp computes; a wait leaves as many of the latest groups in flight as it says.'));
}
function mbarriers_view(state) {
  const rows = [...state.mbarriers].sort((a, b) => a[0] - b[0]).map(([at, m]) => element('tr', {}, element('td', {class: 'num-text'}, `at byte ${at}`),
    element('td', {class: 'num'}, String(m.phase)), element('td', {class: 'num'}, `${m.arrivals} of ${m.count}`), element('td', {class: 'num'}, shown(m.waits))));
  return element('div', {}, element('div', {class: 'scroll tall'}, element('table', {'data-table': 'mbarriers'}, element('thead', {}, element('tr', {},
    ['mbarrier', 'phase', 'threads that have arrived', 'waits of warps passed'].map((t, i) => element('th', {class: i ? 'num' : ''}, t)))), element('tbody', {}, rows))),
  element('p', {class: 'sub num'}, `${state.boxes.length} boxes have been fetched by TMA. A phase ends when all of its threads have arrived and the bytes of the boxes that they expect are there; the next one begins at once.`));
}
