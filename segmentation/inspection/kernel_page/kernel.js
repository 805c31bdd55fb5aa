// ---- the page

function blocks_text(launch) {
  const all = launch.grid.reduce((a, b) => a * b, 1), shown_blocks = launch.blocks.map(b => `(${b.name})`).join(', ');
  const kept = launch.blocks.length === all ? all === 1 ? 'Its one block can be played' : `All ${all} blocks can be played` : `Of its ${shown(all)} blocks these can be played: ${shown_blocks}`;
  return `${kept}; counters are of all.` + (launch.rows_left_out ? ` ${shown(launch.rows_left_out)} of their steps are left out at the end.` : '');
}

// Draws everything anew, for another launch or block.
function show(change) {
  const is_other = change.launch !== undefined || change.block !== undefined;
  if (change.launch !== undefined && change.launch !== chosen.launch) chosen.block = 0;
  Object.assign(chosen, change, {playing: false}, is_other && {step: 0});
  chosen.block = Math.min(chosen.block, Math.max(0, launch_now().blocks.length - 1));
  if (block_now() && chosen.warp !== null && chosen.warp >= block_now().warps) chosen.warp = null;
  if (chosen.thread !== null && chosen.thread >= launch_now().threads) chosen.thread = null;
  watchers.length = 0;
  const launch = launch_now(), main = document.querySelector('main'), playable = is_playable();
  refresh_order();
  if (playable) chosen.step = order[position()];
  redraw_in(main,
    element('header', {}, element('h1', {}, document.title),
      element('p', {class: 'sub num'}, [trace.text, trace.dtype, trace.math !== 'exact' && trace.math, trace.pass, list(trace.variants).join(', ')].filter(Boolean).join(' · ')),
      trace.command && element('pre', {class: 'command'}, trace.command)),
    playable ? player_bar() : element('div', {class: 'player'}, element('div', {class: 'controls'}, place_pickers()), element('p', {class: 'now'}, 'No step of this block is on the page.')),
    element('section', {}, element('h2', {}, `Launch ${launch.index + 1} of ${launches.length}: `, element('span', {class: 'kernel-name'}, launch.kernel)),
      element('p', {class: 'sub num'}, `${launch.of}, ${bytes(launch.shared_bytes)} of dynamic shared memory. ${blocks_text(launch)}`), tiles()),
    ...(playable ? [timeline(), element('div', {class: 'beside'}, element('div', {}, warp_card(), origin_card(), thread_card()), tensors_card()),
      sources_card(), banks_card() || '', fragments_card() || '', waits_card() || ''] : []), counters_card(),
    element('p', {class: 'sub'}, 'Keys: k plays, ← and → step (with shift ten), n and p go to the same line, b to the next barrier. Where the player has the focus, space plays too, Home and End go to the ends, ↑ and ↓ change the speed.'));
  choose({});
}

trace = new Trace(JSON.parse(document.getElementById('kernel').textContent));
launches = trace.launches = trace.launches.map((l, i) => new Launch(trace, l, i));
show({});
addEventListener('resize', () => choose({}));
