// ---- the graph, drawn as papers draw it: to the right as the net runs, downwards as maps get coarser

const STEP = 17, NODE = {w: 11, h: 24}, ROW_GAP = 26, LEFT = 118;

function kinds_of(study) {
  const kinds = [...new Set(study.nodes.map(n => n.op.split('+')[0]))];
  return new Map(kinds.map((k, i) => [k, `var(--s${i % 10})`]));
}
const kind_of = node => node.op.split('+')[0];
const size_text = node => `${node.shape[0]}x${node.shape[1]}`;

// Column: the longest way from the image. Row: the stride. Lane: which of several nodes in one place.
function places_of(study) {
  const depth = [], taken = new Map(), strides = [...new Set(study.nodes.map(n => n.stride))].sort((a, b) => a - b);
  const lanes = strides.map(() => 1);
  const places = study.nodes.map((node, i) => {
    depth[i] = 1 + Math.max(-1, ...node.inputs.map(k => k < 0 ? -1 : depth[k]));
    const row = strides.indexOf(node.stride), key = row + ':' + depth[i], lane = taken.get(key) || 0;
    taken.set(key, lane + 1);
    lanes[row] = Math.max(lanes[row], lane + 1);
    return {column: depth[i], row, lane};
  });
  const tops = [];
  let top = 14;
  for (const count of lanes) {
    tops.push(top);
    top += count * (NODE.h + 6) + ROW_GAP;
  }
  for (const p of places) Object.assign(p, {x: LEFT + p.column * STEP, y: tops[p.row] + p.lane * (NODE.h + 6)});
  return {places, strides, tops, width: LEFT + STEP * (Math.max(0, ...depth) + 2), height: top};
}

function edge(from, to) {
  const x0 = from ? from.x + NODE.w : LEFT - 14, y0 = from ? from.y + NODE.h / 2 : to.y + NODE.h / 2, x1 = to.x, y1 = to.y + NODE.h / 2;
  const long = from && to.column - from.column > 1;
  if (!long && y0 === y1) return svg('path', {class: 'edge', d: `M${x0} ${y0}L${x1} ${y1}`});
  const bend = Math.min(STEP * 2, (x1 - x0) / 2);
  // What skips others on its own row goes over them.
  const rise = long && Math.abs(y0 - y1) < 1 ? NODE.h : 0;
  return svg('path', {class: long ? 'edge skip' : 'edge', d: `M${x0} ${y0}C${x0 + bend} ${y0 - rise} ${x1 - bend} ${y1 - rise} ${x1} ${y1}`});
}

function graph_card(study) {
  const {places, strides, tops, width, height} = places_of(study), kinds = kinds_of(study);
  const drawing = svg('svg', {class: 'graph', width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': 'graph of the net'});
  strides.forEach((stride, row) => {
    const first = study.nodes.find(n => n.stride === stride);
    drawing.append(svg('text', {x: 4, y: tops[row] + 11}, `stride ${shown(stride, 2)}`), svg('text', {x: 4, y: tops[row] + 25, class: 'faint'}, size_text(first)));
  });
  study.nodes.forEach((node, i) => {
    for (const from of node.inputs) drawing.append(edge(from < 0 ? null : places[from], places[i]));
  });
  const most = Math.max(1, ...study.nodes.map(n => n.shape[2]));
  const boxes = study.nodes.map((node, i) => {
    const h = NODE.h * (.4 + .6 * Math.log2(1 + node.shape[2]) / Math.log2(1 + most));
    const box = svg('rect', {class: 'node', 'data-node': i, x: places[i].x, y: places[i].y + (NODE.h - h) / 2, width: NODE.w, height: h, rx: 3, fill: kinds.get(kind_of(node))});
    box.append(svg('title', {}, `${node.module || node.op}\n${node.op}, ${size_text(node)} of ${node.shape[2]} channels`));
    box.addEventListener('click', () => choose({node: i}));
    drawing.append(box);
    return box;
  });
  const around = element('div', {class: 'scroll'}, drawing);
  let seen = null;
  watchers.push(() => {
    const at = Math.min(chosen.node ?? -1, boxes.length - 1);
    boxes.forEach((b, i) => b.classList.toggle('chosen', i === at));
    if (at !== seen && at >= 0 && around.scrollWidth > around.clientWidth)
      around.scrollLeft = places[at].x / width * around.scrollWidth - around.clientWidth / 2;
    seen = at;
  });
  const legend = element('div', {class: 'legend'}, [...kinds].map(([kind, colour]) => element('span', {class: 'key'}, swatch(colour), kind)));
  return card(element('h3', {}, 'The net'), around, legend,
    element('p', {class: 'sub'}, 'A box is an operation, higher with more channels. Click one to see what it gives.'));
}

// ---- a node

function histogram(maps) {
  const counts = maps.histogram, most = Math.max(...counts), width = 320, height = 90, bar = width / counts.length, range = maps.max - maps.min;
  const drawing = svg('svg', {class: 'histogram', viewBox: `0 0 ${width} ${height + 16}`, role: 'img', 'aria-label': 'histogram of the values'});
  counts.forEach((count, i) => {
    const h = most ? Math.log1p(count) / Math.log1p(most) * height : 0;
    const rect = svg('rect', {x: i * bar, y: height - h, width: bar - 1, height: h});
    rect.append(svg('title', {}, `${shown(maps.min + i * range / counts.length)} to ${shown(maps.min + (i + 1) * range / counts.length)}: ${shown(count)} values`));
    drawing.append(rect);
  });
  drawing.append(svg('text', {x: 0, y: height + 13}, shown(maps.min)), svg('text', {x: width, y: height + 13, 'text-anchor': 'end'}, shown(maps.max)));
  return element('figure', {class: 'chart'}, drawing, element('figcaption', {class: 'sub'}, 'values; heights are logarithmic'));
}

function feature_maps(study, node) {
  const {channels, size: [h, w]} = node.maps, zoom = Math.max(1, Math.floor(96 / Math.max(h, w)));
  const shots = channels.map((c, k) => {
    const canvas = element('canvas', {width: w * zoom, height: h * zoom, 'data-channel': c.channel});
    study.picture(node.maps.pictures).then(sheet => {
      const context = canvas.getContext('2d');
      context.imageSmoothingEnabled = false;
      context.drawImage(sheet, k * w, 0, w, h, 0, 0, w * zoom, h * zoom);
    });
    return element('figure', {}, canvas, element('figcaption', {class: 'num'}, `${c.channel}: ${shown(c.low, 2)} … ${shown(c.high, 2)}`));
  });
  return element('div', {}, element('h3', {}, 'Strongest channels'), element('div', {class: 'maps'}, shots),
    element('p', {class: 'sub'}, 'By the mean of absolute values; each in gray from its smallest value to its largest.'));
}

function filters(node) {
  const {shape: [count, r, s, channels], values} = node.filters, most = Math.max(...values.map(Math.abs)) || 1, zoom = Math.max(2, Math.floor(42 / r));
  const shots = Array.from({length: count}, (_, k) => {
    const canvas = element('canvas', {width: s, height: r, style: `width:${s * zoom}px;height:${r * zoom}px`, title: `filter ${k}`});
    const context = canvas.getContext('2d'), pixels = context.createImageData(s, r);
    for (let i = 0; i < r * s; ++i)
      for (let c = 0; c < 3; ++c)
        pixels.data[i * 4 + c] = 127.5 + 127.5 * values[(k * r * s + i) * channels + (channels === 3 ? c : 0)] / most;
    for (let i = 3; i < pixels.data.length; i += 4) pixels.data[i] = 255;
    context.putImageData(pixels, 0, 0);
    return canvas;
  });
  return element('div', {}, element('h3', {}, 'Filters'), element('div', {class: 'filters'}, shots),
    element('p', {class: 'sub'}, `Gray is 0; the brightest is ${shown(most)}.`));
}

function facts_of(study, node) {
  const of = (a, b) => b ? ` (${percent(a / b)})` : '';
  const facts = [
    ['operation', node.op], ['gives', `${size_text(node)}, ${shown(node.shape[2])} channels, ${bytes(node.bytes)}`],
    ['parameters', shown(node.parameters) + of(node.parameters, study.total('parameters'))],
    ['multiply-adds', shown(node.multiply_adds) + of(node.multiply_adds, study.total('multiply_adds'))],
    finite(node.seconds) && ['time', (node.seconds * 1e3).toFixed(3) + ' ms' + of(node.seconds, study.total('seconds'))],
    ['image pixels from one to the next', shown(node.stride, 2)],
    ['receptive field', node.whole ? 'the whole image' : `${node.field[0]}x${node.field[1]}`],
    node.taps && ['taps', `${node.taps.count.join('x')}, dilation ${node.taps.dilation.join('x')}; ${shown(node.taps.live, 2)} of ${node.taps.count[0] * node.taps.count[1]} live`],
    ...Object.entries(node.attributes).map(([k, v]) => [k.replaceAll('_', ' '), String(v)]),
  ];
  const m = node.maps;
  if (m)
    facts.push(['values', `${shown(m.min)} … ${shown(m.max)}, mean ${shown(m.mean)}, standard deviation ${shown(m.stddev)}`], ['exact zeros', percent(m.zeros)],
               ['dead channels', `${shown(m.dead)} of ${shown(node.shape[2])}`]);
  if (finite(node.gradient)) facts.push(['gradient of the loss, norm', shown(node.gradient)]);
  return facts.filter(Boolean);
}

function gradients_table(node) {
  const rows = node.gradients.map(g => element('tr', {}, element('td', {class: 'name'}, g.parameter), element('td', {class: 'num'}, shown(g.gradient)),
    element('td', {class: 'num'}, shown(g.value)), element('td', {class: 'num'}, finite(g.gradient) && g.value > 0 ? (g.gradient / g.value).toExponential(2) : '–')));
  return element('div', {class: 'scroll'}, element('table', {}, element('thead', {}, element('tr', {}, ['parameter', 'gradient, norm', 'value, norm', 'ratio'].map((t, i) =>
    element('th', {class: i ? 'num' : ''}, t)))), element('tbody', {}, rows)));
}

function node_card(study) {
  const content = element('div', {class: 'node-content'});
  const choice = element('select', {'aria-label': 'node', onchange: e => choose({node: Number(e.target.value)})},
    study.nodes.map((n, i) => element('option', {value: i}, `${i}: ${n.module || '–'} (${n.op})`)));
  const move = by => () => choose({node: Math.min(study.nodes.length - 1, Math.max(0, (chosen.node ?? 0) + by))});
  let drawn = null;
  watchers.push(() => {
    const i = Math.min(chosen.node ?? 0, study.nodes.length - 1);
    if (i === drawn || i < 0) return;
    drawn = i;
    choice.value = i;
    const node = study.nodes[i];
    const facts = element('table', {class: 'facts'}, element('tbody', {}, facts_of(study, node).map(([k, v]) => element('tr', {}, element('th', {}, k), element('td', {class: 'num-text'}, v)))));
    content.replaceChildren(element('h3', {class: 'node-name'}, node.module || node.op), element('div', {class: 'node-parts'}, facts, node.maps ? histogram(node.maps) : ''),
      ...[node.gradients && gradients_table(node), node.maps && feature_maps(study, node), node.filters && filters(node)].filter(Boolean));
    content.dataset.node = i;
  });
  return card(element('div', {class: 'controls'}, element('button', {onclick: move(-1), 'aria-label': 'node before'}, '‹'), choice,
    element('button', {onclick: move(1), 'aria-label': 'next node'}, '›')), content);
}
