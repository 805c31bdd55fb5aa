// ---- an order in which the warps of a block could have run, where they wait for each other at mbarriers

// The trace has the steps of a warp together up to the next barrier of the block. Between warps that wait at mbarriers (copies
// ahead, products behind) that is no order in time. Here each runs until it waits for a phase that has not ended: the k-th wait
// of a warp at an mbarrier is for its k-th phase. null where no warp can go on, which then is the order of the trace.
function scheduled(steps, warps) {
  const queues = Array.from({length: warps}, () => []), next = new Array(warps).fill(0), waits = Array.from({length: warps}, () => new Map());
  for (const step of steps) queues[step.warp].push(step);
  const barriers = new Map(), found = [], at_barrier = new Set();
  const live = () => queues.reduce((n, q, w) => n + (next[w] < q.length ? 1 : 0), 0);
  const may_go = (warp, step) => {
    if (step.kind !== 'mbarrier_wait') return true;
    const key = step.parts[0].base, before = waits[warp].get(key) || 0;
    return (barriers.get(key)?.phase || 0) > before;
  };
  const take = (warp, step) => {
    const key = step.parts[0].base;
    if (step.kind === 'mbarrier_init') barriers.set(key, {count: step.extra || 1, arrivals: 0, phase: 0});
    if (step.kind === 'mbarrier_wait') waits[warp].set(key, (waits[warp].get(key) || 0) + 1);
    if (step.kind === 'mbarrier_arrive' && barriers.has(key)) {
      const b = barriers.get(key);
      b.arrivals += lanes_in(step.mask).length;
      while (b.arrivals >= b.count) b.arrivals -= b.count, ++b.phase;
    }
    found.push(step);
    ++next[warp];
  };
  while (found.length < steps.length) {
    const before = found.length;
    for (let warp = 0; warp < warps; ++warp)
      while (next[warp] < queues[warp].length && !at_barrier.has(warp)) {
        const step = queues[warp][next[warp]];
        if (!may_go(warp, step)) break;
        take(warp, step);
        if (step.kind === 'block_barrier') at_barrier.add(warp);
      }
    const blocked = [...at_barrier].filter(w => next[w] < queues[w].length).length;
    if (at_barrier.size && blocked === live()) at_barrier.clear();
    else if (found.length === before) return null;
  }
  return found;
}
