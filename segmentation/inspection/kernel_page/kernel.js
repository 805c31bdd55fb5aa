// ---- the page

function blocks_text(launch) {
  const all = launch.grid.reduce((a, b) => a * b, 1), shown_blocks = launch.blocks.map(b => `(${b.name})`).join(', ');
  const kept = launch.blocks.length === all ? all === 1 ? 'Its one block can be played' : `All ${all} blocks can be played` : `Of its ${shown(all)} blocks these can be played: ${shown_blocks}`;
  return `${kept}; counters are of all.` + (launch.rows_left_out ? ` ${shown(launch.rows_left_out)} of their steps are left out at the end.` : '');
}

// Draws everything anew, for another launch or block.
function show(change) {
  const old = chosen.launch;
  Object.assign(chosen, change, {playing: false, step: 0});
  if (chosen.launch !== old && change.block === undefined) chosen.block = 0;
  chosen.block = Math.min(chosen.block, Math.max(0, launch_now().blocks.length - 1));
  if (block_now() && chosen.warp !== null && chosen.warp >= block_now().warps) chosen.warp = null;
  watchers.length = 0;
  const launch = launch_now(), main = document.querySelector('main'), playable = block_now() && block_now().steps.length > 0;
  if (playable) refresh_order();
  if (playable) chosen.step = order[0];
  main.replaceChildren(
    element('header', {}, element('h1', {}, document.title),
      element('p', {class: 'sub num'}, [trace.text, trace.dtype, trace.math !== 'exact' && trace.math, trace.pass, list(trace.variants).join(', ')].filter(Boolean).join(' · ')),
      trace.command && element('pre', {class: 'command'}, trace.command)),
    playable ? player_bar() : element('div', {class: 'player'}, launch_picker()),
    element('section', {}, element('h2', {}, `Launch ${launch.index + 1} of ${launches.length}: `, element('span', {class: 'kernel-name'}, launch.kernel)),
      element('p', {class: 'sub num'}, `${launch.of}, ${bytes(launch.shared_bytes)} of dynamic shared memory. ${blocks_text(launch)}`), tiles()),
    ...(playable ? [timeline(), element('div', {class: 'beside'}, element('div', {}, warp_card(), origin_card(), thread_card()), tensors_card()),
      sources_card(), banks_card() || '', fragments_card() || '', waits_card() || ''] : []), counters_card(),
    element('p', {class: 'sub'}, 'Keys: space plays, ← and → step (with shift ten), ↑ and ↓ change the speed, n and p go to the same line, b to the next barrier, Home and End to the ends.'));
  choose({});
}
const launch_picker = () => picker('launch', launches.map((l, i) => [i, `${i + 1}: ${short_kernel(l.kernel)}`]), chosen.launch, v => show({launch: Number(v)}));

trace = new Trace(JSON.parse(document.getElementById('kernel').textContent));
launches = trace.launches = trace.launches.map((l, i) => new Launch(trace, l, i));
show({});
addEventListener('resize', () => choose({}));
