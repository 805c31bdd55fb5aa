// ---- the counters that a profiler would show, with what they mean

const GROUPS = {
  load: 'loads', store: 'stores', async_copy: 'cp.async', atomic: 'atomics',
  shared_load: 'loads', shared_store: 'stores', shared_async_copy: 'cp.async', ldmatrix: 'ldmatrix', shared_atomic: 'atomics',
};
const MEANINGS = {
  requests: 'instructions of a warp of this sort that ran',
  sectors: 'pieces of 32 bytes that these move between the SM and the L1 or L2 cache',
  fewest_sectors: 'what they would move if the distinct bytes of each request lay side by side',
  sectors_per_request: '4 where 32 lanes read neighbouring floats; 32 where every lane is in a sector of its own',
  useful: 'the fewest sectors over those that moved: 100 % is coalesced as well as can be',
  bytes: 'what the lanes asked for, each on its own',
  distinct_bytes: 'the same with what several lanes of a request share counted once',
  lanes: 'lanes that took part, of 32 in each request',
  wavefronts: 'turns that the banks of shared memory took to serve them',
  fewest_wavefronts: 'turns without any bank conflict',
  conflicts: 'turns that were lost because lanes wanted different words of one bank',
  worst_ways: 'the most words of one bank that one request wanted at once; 1: never a conflict',
};
const PLAIN = {
  memory_instructions: ['memory instructions', 'requests of all sorts together'],
  inactive_lanes: ['lanes switched off', 'lanes that sat out memory instructions, because of a branch or the edge of the image'],
  zero_filled_lanes: ['lanes that copy zeros', 'copies by cp.async that read nothing, such as taps in the padding'],
  atomics: ['atomics', 'additions and the like by single lanes, that other threads cannot come between'],
  most_on_one_address: ['most atomics on one address', 'lanes of one request that take turns at the same place'],
  block_barriers: ['barriers of the block', 'how often all threads of a block waited for each other, over all blocks'],
  named_barriers: ['named barriers', 'how often warps met at a barrier for some of the warps'],
  mbarrier_operations: ['mbarrier operations', 'arrivals and waits at barriers that also count the bytes of copies'],
  warp_barriers: ['barriers of a warp', 'how often the lanes of a warp waited for each other'],
  shuffles: ['shuffles', 'exchanges of registers between the lanes of a warp'],
  votes: ['votes', 'questions that all lanes of a warp answer together'],
  mma: ['mma', 'products of fragments on tensor cores, once a warp'],
  wgmma: ['wgmma', 'products of four warps on Hopper\'s tensor cores'],
  box_loads: ['TMA loads', 'boxes of a tensor that the copy unit fetched'],
  box_load_bytes: ['TMA bytes loaded', 'what these boxes hold'],
  box_stores: ['TMA stores', 'boxes that the copy unit wrote back'],
  box_store_bytes: ['TMA bytes stored', 'what these boxes hold'],
};
const counter_text = (key, value) => key === 'useful' ? percent(value) : key === 'sectors_per_request' ? shown(value, 2) : key.endsWith('bytes') ? bytes(value) : shown(value);

// A counter a row, a sort of instruction a column.
function counters_table(groups, names, title) {
  const {counters} = launch_now(), columns = groups.filter(g => counters[g]);
  if (!columns.length) return null;
  const rows = names.filter(k => columns.some(g => finite(counters[g][k]))).map(k => element('tr', {'data-counter': k}, element('td', {class: 'name'}, k.replaceAll('_', ' ')),
    columns.map(g => element('td', {class: 'num', 'data-group': g}, counter_text(k, counters[g][k]))), element('td', {class: 'sub'}, MEANINGS[k])));
  return element('div', {class: 'scroll'}, element('table', {'data-table': title}, element('thead', {}, element('tr', {}, element('th', {}, title),
    columns.map(g => element('th', {class: 'num'}, GROUPS[g])), element('th', {}, 'meaning'))), element('tbody', {}, rows)));
}
function plain_table() {
  const {counters} = launch_now();
  const names = Object.keys(PLAIN).filter(k => finite(counters[k]) && counters[k] !== 0 || k === 'inactive_lanes' && finite(counters.memory_instructions));
  return names.length ? element('div', {class: 'scroll'}, element('table', {'data-table': 'other counters'}, element('tbody', {}, names.map(k =>
    element('tr', {'data-counter': k}, element('td', {class: 'name'}, PLAIN[k][0]), element('td', {class: 'num'}, counter_text(k, counters[k] ?? 0)), element('td', {class: 'sub'}, PLAIN[k][1])))))) : null;
}
function counters_card() {
  const of_global = ['load', 'store', 'async_copy', 'atomic'], of_shared = ['shared_load', 'shared_store', 'shared_async_copy', 'ldmatrix', 'shared_atomic'];
  return card(element('h3', {}, 'Counters of the launch'), counters_table(of_global, ['requests', 'sectors', 'fewest_sectors', 'sectors_per_request', 'useful', 'bytes', 'distinct_bytes', 'lanes'], 'global memory'),
    counters_table(of_shared, ['requests', 'wavefronts', 'fewest_wavefronts', 'conflicts', 'worst_ways', 'bytes', 'lanes'], 'shared memory'), plain_table(),
    element('p', {class: 'sub'}, 'Counted in the emulator over all blocks, in a profiler\'s terms. The instructions are those of the host\'s compiler: nvcc may keep in registers what is read twice here.'));
}

// What one would look at first.
function tiles() {
  const c = launch_now().counters, tile = (label, value, below) => element('div', {class: 'tile'}, element('div', {class: 'label'}, label), element('div', {class: 'value'}, value), element('div', {class: 'below'}, below));
  const groups = names => names.map(n => c[n]).filter(Boolean), global = groups(['load', 'store', 'async_copy', 'atomic']), shared = groups(['shared_load', 'shared_store', 'shared_async_copy', 'ldmatrix', 'shared_atomic']);
  const sectors = sum(global.map(g => g.sectors)), conflicts = sum(shared.map(g => g.conflicts)), wavefronts = sum(shared.map(g => g.wavefronts));
  return element('div', {class: 'tiles'}, tile('blocks', shown(launch_now().grid.reduce((a, b) => a * b, 1)), `of ${launch_now().threads} threads`),
    sectors > 0 && tile('useful sectors', percent(sum(global.map(g => g.fewest_sectors)) / sectors), `of ${shown(sectors)} sectors moved`),
    wavefronts > 0 && tile('bank conflicts', shown(conflicts), `of ${shown(wavefronts)} turns`),
    c.memory_instructions > 0 && tile('lanes switched off', percent((c.inactive_lanes ?? 0) / c.memory_instructions / 32), 'of memory instructions'),
    c.block_barriers > 0 && tile('barriers', shown(c.block_barriers), 'of whole blocks'), c.mma > 0 && tile('mma', shown(c.mma), 'products of a warp'));
}
