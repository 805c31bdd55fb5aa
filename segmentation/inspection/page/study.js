// Draws what a net does with images, from the JSON in the element "studies" (segmentation/inspection/net_study.h). Names
// come from files, so that text goes into the page as text alone, never as HTML.

// ---- one study: a net, and an image unless it is the graph alone

class Study {
  constructor(data, index) {
    Object.assign(this, data);
    this.index = index;
    for (const key of ['nodes', 'classes', 'fields', 'activations', 'scores']) this[key] = list(this[key]);
    if (this.probabilities) this.levels = Uint8Array.from(atob(this.probabilities), c => c.charCodeAt(0));
    this.pictures = {};
  }
  get title() { return [this.checkpoint, this.image].filter(Boolean).join(' · '); }
  // The pixel of the net that a pixel of the picture is, and back.
  net_pixel(row, column) {
    return [Math.floor((2 * row + 1) * this.size[0] / (2 * this.shown[0])),
            Math.floor((2 * column + 1) * this.size[1] / (2 * this.shown[1]))];
  }
  shown_pixel(y, x) {
    const at = (v, axis) => Math.min(this.shown[axis] - 1, Math.floor((v + .5) * this.shown[axis] / this.size[axis]));
    return [at(y, 0), at(x, 1)];
  }
  probabilities_at(row, column) {
    const pixels = this.shown[0] * this.shown[1];
    return this.classes.map((_, c) => this.levels[c * pixels + row * this.shown[1] + column] / 255);
  }
  // The field whose pixel lies nearest.
  field_at(y, x) {
    const far = f => (f.y - y) ** 2 + (f.x - x) ** 2;
    return this.fields.reduce((best, f) => !best || far(f) < far(best) ? f : best, null);
  }
  total(key) { return sum(this.nodes.map(n => n[key])); }
  // The class activation of a class, where it occurs here.
  activation_of(id) { return this.activations.find(a => a.class === id); }
  // [rows, columns, image pixels from one to the next] of what a node reads first.
  input_of(node) {
    const from = node.inputs.find(i => i >= 0);
    return from === undefined ? [...this.padded, 1] : [...this.nodes[from].shape.slice(0, 2), this.nodes[from].stride];
  }
  // Where the taps of a node lie that computes its output over pixel (y, x) of what the net sees, in such pixels.
  taps_at(node, y, x) {
    const {count, dilation, stride, padding} = node.taps, [rows, columns, step] = this.input_of(node);
    const place = [y, x].map((v, axis) => Math.min(node.shape[axis] - 1, Math.floor(v / node.stride)));
    const taps = [];
    for (let r = 0; r < count[0]; ++r)
      for (let c = 0; c < count[1]; ++c) {
        const i = place[0] * stride[0] - padding[0] + r * dilation[0], j = place[1] * stride[1] - padding[1] + c * dilation[1];
        taps.push({y: (i + .5) * step, x: (j + .5) * step, live: i >= 0 && j >= 0 && i < rows && j < columns});
      }
    return taps;
  }
  atrous() { return this.nodes.filter(n => n.taps && Math.max(...n.taps.dilation) > 1); }
  picture(uri) {
    return this.pictures[uri] ||= new Promise((done, failed) => {
      const image = new Image();
      image.onload = () => done(image);
      image.onerror = failed;
      image.src = uri;
    });
  }
}

// What is chosen on the page: the same for the studies beside each other.
const chosen = {layer: 'picture', opacity: .6, y: .5, x: .5, activation: 0, node: null};
const watchers = [];
function choose(change) {
  Object.assign(chosen, change);
  for (const redraw of watchers) redraw();
}

// ---- pictures

const heat = level => [Math.min(255, level * 2.2), Math.max(0, level * 1.7 - 130), Math.max(0, 90 - Math.abs(level - 60)), Math.min(255, level * 2)];

// A gray picture in the colours of heat, transparent where it is 0.
function heated(image) {
  const canvas = element('canvas', {width: image.width, height: image.height}), context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, image.width, image.height);
  for (let i = 0; i < pixels.data.length; i += 4) pixels.data.set(heat(pixels.data[i]), i);
  context.putImageData(pixels, 0, 0);
  return canvas;
}

const LAYERS = [
  ['picture', 'image', 'picture'], ['prediction', 'prediction', 'prediction'], ['truth', 'truth', 'truth'],
  ['errors', 'errors', 'errors'], ['entropy', 'uncertainty', 'entropy'], ['activation', 'class activation', 'activations'],
  ['field', 'receptive field', 'fields'],
];
const has = (study, key) => Array.isArray(study[key]) ? study[key].length > 0 : Boolean(study[key]);

class Canvas {
  constructor(study) {
    this.study = study;
    this.zoom = Math.max(1, Math.round(640 / Math.max(...study.shown)));
    this.canvas = element('canvas', {
      class: 'scene', width: study.shown[1] * this.zoom, height: study.shown[0] * this.zoom,
      onclick: e => this.pick(e), 'aria-label': `${study.image}: click a pixel`,
    });
  }
  pick(e) {
    const box = this.canvas.getBoundingClientRect();
    const within = v => Math.min(.9999, Math.max(0, v));
    choose({y: within((e.clientY - box.top) / box.height), x: within((e.clientX - box.left) / box.width)});
  }
  pixel() { return [Math.floor(chosen.y * this.study.shown[0]), Math.floor(chosen.x * this.study.shown[1])]; }
  async draw() {
    const drawing = this.drawing = {}, s = this.study, [h, w] = [this.canvas.height, this.canvas.width];
    const picture = await s.picture(s.picture_uri), over = await this.layer();
    if (drawing !== this.drawing) return;  // something else was chosen meanwhile
    const context = this.canvas.getContext('2d');
    context.imageSmoothingEnabled = false;
    context.clearRect(0, 0, w, h);
    context.drawImage(picture, 0, 0, w, h);
    if (over) {
      context.globalAlpha = chosen.opacity;
      const [top, left, down, across] = over.box;
      context.drawImage(over.image, left * w, top * h, across * w, down * h);
      context.globalAlpha = 1;
    }
    this.mark(context);
    this.canvas.dataset.drawn = chosen.layer;
  }
  // What lies over the image, and where: [top, left, height, width] in units of the image.
  async layer() {
    const s = this.study, over = async (uri, box = [0, 0, 1, 1]) => ({image: heated(await s.picture(uri)), box});
    if (chosen.layer === 'field') return this.field() && over(this.field().picture);
    if (chosen.layer === 'activation') {
      const found = s.activation_of(chosen.activation);  // a map of all that the net saw
      return found && over(found.picture, [-s.origin[0] / s.size[0], -s.origin[1] / s.size[1], s.padded[0] / s.size[0], s.padded[1] / s.size[1]]);
    }
    if (chosen.layer === 'entropy') return s.entropy && over(s.entropy);
    return chosen.layer !== 'picture' && s[chosen.layer] && {image: await s.picture(s[chosen.layer]), box: [0, 0, 1, 1]};
  }
  field() { return this.study.field_at(...this.study.net_pixel(...this.pixel())); }
  mark(context) {
    const s = this.study, scale = [this.canvas.height / s.size[0], this.canvas.width / s.size[1]];
    const cross = (y, x, colour) => {
      context.strokeStyle = colour;
      context.beginPath();
      for (const [dy, dx] of [[0, 1], [1, 0]]) {
        context.moveTo(x - 7 * dx, y - 7 * dy);
        context.lineTo(x + 7 * dx, y + 7 * dy);
      }
      context.stroke();
    };
    context.lineWidth = 2;
    const [row, column] = this.pixel();
    cross((row + .5) * this.zoom, (column + .5) * this.zoom, '#ffffff');
    const field = chosen.layer === 'field' && this.field();
    if (!field) return;
    cross((field.y + .5) * scale[0], (field.x + .5) * scale[1], '#00e5ff');
    if (field.whole) return;
    const [top, left, bottom, right] = field.box;
    context.strokeStyle = '#00e5ff';
    context.setLineDash([6, 4]);
    context.strokeRect(left * scale[1], top * scale[0], (right - left + 1) * scale[1], (bottom - top + 1) * scale[0]);
    context.setLineDash([]);
  }
}

function layer_buttons(studies) {
  const buttons = LAYERS.filter(([, , key]) => studies.some(s => has(s, key))).map(([layer, name]) =>
    element('button', {onclick: () => choose({layer}), 'data-layer': layer}, name));
  const opacity = element('input', {type: 'range', min: 0, max: 1, step: .05, value: chosen.opacity, 'aria-label': 'opacity',
                                    oninput: e => choose({opacity: Number(e.target.value)})});
  const classes = element('select', {'aria-label': 'class', onchange: e => choose({activation: Number(e.target.value)})});
  const occurring = new Map(studies.flatMap(s => s.activations.map(a => [a.class, s.classes[a.class].name])));
  for (const [id, name] of [...occurring].sort((a, b) => a[0] - b[0])) classes.append(element('option', {value: id}, name));
  if (!occurring.has(chosen.activation) && occurring.size) chosen.activation = occurring.keys().next().value;
  classes.value = chosen.activation;
  watchers.push(() => {
    for (const b of buttons) b.setAttribute('aria-pressed', b.dataset.layer === chosen.layer);
    classes.hidden = chosen.layer !== 'activation';
  });
  return element('div', {class: 'controls layers'}, buttons, classes, element('label', {}, 'opacity', opacity));
}

// ---- what is said of the chosen pixel

function pixel_card(study, canvas) {
  const place = element('p', {class: 'sub num pixel'}), bars = element('div', {class: 'bars'}), field = element('p', {class: 'sub num field'});
  const activation = element('p', {class: 'sub activation'});
  watchers.push(() => {
    const [row, column] = canvas.pixel(), [y, x] = study.net_pixel(row, column), p = study.probabilities_at(row, column);
    place.textContent = `pixel at row ${y}, column ${x}`;
    const order = p.map((v, c) => [v, c]).sort((a, b) => b[0] - a[0]).slice(0, 8);
    bars.replaceChildren(...order.map(([v, c]) => element('div', {class: 'probability'},
      swatch(study.classes[c].colour), element('span', {class: 'name'}, study.classes[c].name),
      element('span', {class: 'track'}, element('span', {class: 'bar', style: `width:${(v * 100).toFixed(1)}%`})),
      element('span', {class: 'num'}, v.toFixed(3)))));
    const f = canvas.field(), absent = chosen.layer === 'activation' && study.activations.length && !study.activation_of(chosen.activation);
    activation.textContent = absent ? 'The chosen class does not occur here.' : '';
    field.textContent = !f ? '' :
      `Effective receptive field of the logit “${study.classes[f.class].name}” at row ${f.y}, column ${f.x}: ` +
      `${shown(f.pixels)} pixels hold ${percent(study.field_share)} of the gradient; ` +
      (f.whole ? 'in theory it sees the whole image.' :
       `in theory it sees ${f.box[2] - f.box[0] + 1}x${f.box[3] - f.box[1] + 1} (dashed).`);
  });
  return element('div', {}, place, bars, field, activation);
}

// The taps of the atrous convolutions around the chosen pixel, on the picture and beyond it.
function taps_card(study, canvas) {
  const nodes = study.atrous();
  if (!nodes.length) return null;
  const rates = node => Math.max(...node.taps.dilation);
  const on = new Set(nodes.filter(n => rates(n) >= rates(nodes[nodes.length - 1]) / 4).slice(-4));
  const drawing = svg('svg', {class: 'taps', role: 'img', 'aria-label': 'taps of atrous convolutions'}), legend = element('div', {class: 'legend'});
  const buttons = nodes.map((node, i) => element('button', {
    'data-node': study.nodes.indexOf(node),
    onclick: () => { on.has(node) ? on.delete(node) : on.add(node); draw(); },
  }, swatch(`var(--s${i % 10})`),
    `${node.module || node.op}: rate ${rates(node)}, ${shown(node.taps.live, 2)} of ${node.taps.count[0] * node.taps.count[1]} taps live`));
  legend.append(...buttons);
  const draw = () => {
    const [top, left] = study.origin, [y, x] = study.net_pixel(...canvas.pixel()), [h, w] = study.size;
    const all = nodes.map((node, i) => on.has(node) ? study.taps_at(node, top + y, left + x).map(t => ({...t, colour: `var(--s${i % 10})`})) : []).flat();
    const ys = all.map(t => t.y).concat([top, top + h]), xs = all.map(t => t.x).concat([left, left + w]);
    const edge = Math.max(h, w) / 24, low = [Math.min(...ys) - edge, Math.min(...xs) - edge], high = [Math.max(...ys) + edge, Math.max(...xs) + edge];
    drawing.setAttribute('viewBox', [low[1], low[0], high[1] - low[1], high[0] - low[0]].join(' '));
    const size = Math.max(high[0] - low[0], high[1] - low[1]) / 70;
    drawing.replaceChildren(svg('image', {href: study.picture_uri, x: left, y: top, width: w, height: h, preserveAspectRatio: 'none', opacity: .75}),
      ...all.map(t => svg('circle', {class: t.live ? 'live' : 'dead', cx: t.x, cy: t.y, r: size, stroke: t.colour, 'stroke-width': size / 2,
                                     fill: t.live ? t.colour : 'none'})));
    buttons.forEach((b, i) => b.setAttribute('aria-pressed', on.has(nodes[i])));
  };
  watchers.push(draw);
  return card(element('h3', {}, 'Taps of the atrous convolutions over the chosen pixel'), drawing, legend,
              element('p', {class: 'sub'}, 'Filled: on the map. Hollow: in the padding, always zero. The number of live taps is the mean over the map.'));
}

function scores_table(study) {
  if (!study.classes.length) return null;
  const scored = study.scores.length > 0;
  const rows = study.classes.map(c => element('tr', {}, element('td', {class: 'name'}, swatch(c.colour), ' ', c.name),
    element('td', {class: 'num'}, shown(c.predicted)), scored && element('td', {class: 'num'}, shown(c.truth)),
    scored && element('td', {class: 'num'}, real(c.iou)), scored && element('td', {class: 'num'}, real(c.dice))));
  const head = ['class', 'predicted pixels', ...(scored ? ['true pixels', 'IoU', 'Dice'] : [])];
  return card(element('h3', {}, 'Scores on this image'),
    scored && element('p', {class: 'sub num'}, study.scores.map(s => `${s.title} ${real(s.value)}`).join(', '),
                      finite(study.loss) ? `, loss ${real(study.loss)}` : ''),
    element('div', {class: 'scroll'}, element('table', {}, element('thead', {}, element('tr', {}, head.map((t, i) => element('th', {class: i ? 'num' : ''}, t)))),
                                              element('tbody', {}, rows))));
}
