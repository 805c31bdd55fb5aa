// Curves as SVG, with their values under the pointer.

// Exponential mean, free of the pull of its first value; gaps stay.
function smoothed(points, weight) {
  let mean = 0, norm = 0;
  return points.map(([x, y]) => {
    if (!finite(y)) return [x, y];
    mean = weight * mean + (1 - weight) * y;
    norm = weight * norm + (1 - weight);
    return [x, mean / norm];
  });
}
function nice_step(range, count) {
  const rough = range / count, power = Math.pow(10, Math.floor(Math.log10(rough)));
  for (const factor of [1, 2, 2.5, 5, 10]) if (factor * power >= rough) return factor * power;
}
// Counted rather than added up: next to a large number a small step changes nothing.
function ticks(low, high, count) {
  const step = nice_step(high - low || 1, count), first = Math.ceil(low / step - 1e-9);
  const number = Math.floor(high / step + 1e-9) - first + 1;
  if (!(number > 0 && number <= 10 * count && finite(first * step))) return [];
  return Array.from({length: number}, (_, i) => (first + i) * step);
}
// Two values that are one but for rounding have no range to draw.
function widened(low, high) {
  const size = Math.max(Math.abs(low), Math.abs(high));
  return high - low > size * 1e-9 ? [low, high] : [low - (size * .1 || .1), high + (size * .1 || .1)];
}
function log_ticks(low, high) {
  const all = [];
  for (let power = Math.floor(low); power <= Math.ceil(high); ++power)
    for (const digit of high - low < 3 ? [1, 2, 5] : [1]) {
      const at = power + Math.log10(digit);
      if (at >= low - 1e-9 && at <= high + 1e-9) all.push(at);
    }
  return all;
}
function tick_text(v) {
  if (v === 0) return '0';
  const size = Math.abs(v);
  return size >= 1e5 || size < 1e-3 ? v.toExponential(0) : String(+v.toPrecision(4));
}

const charts = [];
const view = {smoothing: 0, log: false};

class Chart {
  // series: {name, colour, points, raw: drawn faintly behind, dashed}; options: key, title, mark (an x), log, and of charts
  // that are not by epoch: plane ([x0, x1, y0, y1]), smooth: false, spots ({at, name, colour}: points that are marked),
  // tip (of a point what is said: a heading, and rows of name and value).
  constructor(series, options) {
    this.series = series.filter(s => s.points.some(p => finite(p[1])));
    this.options = options;
    this.hidden = new Set();
    this.svg = svg('svg', {role: 'img', 'aria-label': options.title});
    this.tip = element('div', {class: 'tip', hidden: true});
    this.figure = element('figure', {class: 'chart card', 'data-chart': options.key}, element('h3', {}, options.title),
                          this.svg, this.tip, this.legend());
    for (const type of ['pointermove', 'pointerdown']) this.svg.addEventListener(type, e => this.hover(e));
    this.svg.addEventListener('pointerleave', e => { if (e.pointerType !== 'touch') this.leave(); });  // a finger is lifted to read
    charts.push(this);
  }
  legend() {
    const entry = s => element('button', {
      type: 'button', 'aria-pressed': 'true',
      onclick: e => {
        const hide = !this.hidden.has(s);
        for (const o of this.series.filter(o => o === s || (o.raw && o.colour === s.colour)))
          hide ? this.hidden.add(o) : this.hidden.delete(o);
        e.currentTarget.setAttribute('aria-pressed', String(!hide));
        this.draw();
      }}, swatch(s.colour), s.name);
    return element('div', {class: 'legend'}, this.series.filter(s => !s.raw).map(entry),
                   list(this.options.spots).map(spot => element('span', {class: 'entry'}, swatch(spot.colour), spot.name)));
  }
  scale_y(v) { return this.log ? Math.log10(v) : v; }
  drawable(p) { return finite(p[0]) && finite(p[1]) && (!this.log || p[1] > 0); }
  draw() {
    const width = this.svg.clientWidth || 400, height = Math.max(170, Math.min(240, width * .5));
    const box = {left: 52, right: width - 12, top: 8, bottom: height - 24};
    this.log = view.log && this.options.log !== false;
    const smoothing = this.options.smooth === false ? 0 : view.smoothing;
    this.drawn = this.series.filter(s => !this.hidden.has(s)).map(s => ({
      ...s, line: smoothing > 0 && !s.raw ? smoothed(s.points, smoothing) : s.points}));
    this.svg.replaceChildren();
    this.svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.svg.setAttribute('height', height);
    const points = this.drawn.flatMap(s => s.points.filter(p => this.drawable(p)));
    if (!points.length) return;
    this.fit(points, box);
    this.draw_axes(box);
    for (const s of this.drawn) {
      if (smoothing > 0 && !s.raw) this.draw_line(s, s.points, 'raw');
      this.draw_line(s, s.line, s.raw ? 'raw' : s.dashed ? 'dashed' : '');
    }
    for (const spot of list(this.options.spots))
      this.svg.append(svg('circle', {class: 'spot', cx: this.x(spot.at[0]), cy: this.y(spot.at[1]), r: 5,
                                     style: `fill:${spot.colour}`, 'data-spot': spot.name}));
    this.cross = svg('line', {class: 'cross', y1: box.top, y2: box.bottom, visibility: 'hidden'});
    this.dots = svg('g', {});
    this.svg.append(this.cross, this.dots);
  }
  fit(points, box) {
    const xs = points.map(p => p[0]), ys = points.map(p => this.scale_y(p[1]));
    const least = a => a.reduce((m, v) => v < m ? v : m, Infinity), most = a => a.reduce((m, v) => v > m ? v : m, -Infinity);
    let [x0, x1, y0, y1] = [least(xs), most(xs), least(ys), most(ys)];
    if (x0 === x1) { x0 -= .5; x1 += .5; }
    if (this.options.plane) [x0, x1, y0, y1] = this.options.plane;
    const [low, high] = this.options.plane ? [y0, y1] : widened(y0, y1), margin = low === y0 && !this.options.plane ? (y1 - y0) * .06 : 0;
    y0 = !this.log && y0 >= 0 && low - margin < 0 ? 0 : low - margin;
    y1 = high + margin;
    this.range = [x0, x1, y0, y1];
    this.x = v => box.left + (v - x0) / (x1 - x0) * (box.right - box.left);
    this.y = v => box.bottom - (this.scale_y(v) - y0) / (y1 - y0) * (box.bottom - box.top);
  }
  draw_axes(box) {
    const [x0, x1, y0, y1] = this.range;
    for (const t of this.log ? log_ticks(y0, y1) : ticks(y0, y1, 5)) {
      const y = this.log ? this.y(Math.pow(10, t)) : this.y(t);
      this.svg.append(svg('line', {class: 'grid', x1: box.left, x2: box.right, y1: y, y2: y}),
                      svg('text', {x: box.left - 6, y: y + 4, 'text-anchor': 'end'}, tick_text(this.log ? Math.pow(10, t) : t)));
    }
    for (const t of ticks(x0, x1, Math.max(2, Math.min(8, (box.right - box.left) / 60)))) {
      if (!Number.isInteger(+t.toFixed(6)) && x1 - x0 >= 2) continue;
      this.svg.append(svg('text', {x: this.x(t), y: box.bottom + 17, 'text-anchor': 'middle'}, tick_text(+t.toFixed(6))));
    }
    this.svg.append(svg('line', {class: 'axis', x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom}));
    const mark = this.options.mark;
    if (finite(mark) && mark >= x0 && mark <= x1)
      this.svg.append(svg('line', {class: 'best', x1: this.x(mark), x2: this.x(mark), y1: box.top, y2: box.bottom}));
  }
  draw_line(s, points, kind) {
    let path = '', pen = false, alone = [];
    points.forEach((p, i) => {
      if (!this.drawable(p)) { pen = false; return; }
      path += `${pen ? 'L' : 'M'}${this.x(p[0]).toFixed(2)} ${this.y(p[1]).toFixed(2)}`;
      const next = points[i + 1];
      if (!pen && (!next || !this.drawable(next))) alone.push(p);
      pen = true;
    });
    this.svg.append(svg('path', {class: `series ${kind}`, d: path, style: `stroke:${s.colour}`, 'data-series': s.name}));
    for (const p of alone)
      this.svg.append(svg('circle', {cx: this.x(p[0]), cy: this.y(p[1]), r: 3, style: `fill:${s.colour}`}));
  }
  // The point of each series that lies nearest to x.
  nearest(x) {
    return this.drawn.filter(s => !s.raw).map(s => {
      let best = -1;
      s.line.forEach((p, i) => {
        if (this.drawable(p) && (best < 0 || Math.abs(p[0] - x) < Math.abs(s.line[best][0] - x))) best = i;
      });
      return {s, at: best};
    }).filter(n => n.at >= 0);
  }
  hover(event) {
    if (!this.x) return;
    const bounds = this.svg.getBoundingClientRect(), [x0, x1] = this.range;
    const scale = (this.svg.clientWidth || bounds.width) / bounds.width, px = (event.clientX - bounds.left) * scale;
    const wanted = x0 + (px - this.x(x0)) / (this.x(x1) - this.x(x0)) * (x1 - x0);
    const found = this.nearest(wanted);
    if (!found.length) return;
    const first = found.reduce((a, b) => Math.abs(a.s.line[a.at][0] - wanted) <= Math.abs(b.s.line[b.at][0] - wanted) ? a : b);
    const epoch = first.s.line[first.at][0];
    const near = found.filter(n => Math.abs(n.s.line[n.at][0] - epoch) <= Math.max(.5, (x1 - x0) * .02));
    this.cross.setAttribute('visibility', 'visible');
    for (const end of ['x1', 'x2']) this.cross.setAttribute(end, this.x(epoch));
    this.dots.replaceChildren(...near.map(n => svg('circle', {
      cx: this.x(n.s.line[n.at][0]), cy: this.y(n.s.line[n.at][1]), r: 3.5, style: `fill:${n.s.colour}`})));
    const row = (name, value) => element('tr', {}, element('td', {}, name), element('td', {}, value));
    const [head, rows] = this.options.tip ? this.options.tip(first.s.points[first.at])
      : ['epoch ' + +epoch.toFixed(2), near.map(n => [[swatch(n.s.colour), ' ' + n.s.name], shown(n.s.points[n.at][1])])];
    this.tip.replaceChildren(element('div', {class: 'faint'}, head), element('table', {}, rows.map(r => row(...r))));
    this.tip.hidden = false;
    const left = this.svg.offsetLeft + this.x(epoch), room = this.figure.clientWidth, wide = this.tip.offsetWidth;
    this.tip.style.left = Math.max(4, left + 14 + wide < room ? left + 14 : left - 14 - wide) + 'px';
    this.tip.style.top = this.svg.offsetTop + 8 + 'px';
  }
  leave() {
    this.tip.hidden = true;
    if (this.cross) this.cross.setAttribute('visibility', 'hidden');
    if (this.dots) this.dots.replaceChildren();
  }
}
const draw_charts = () => charts.forEach(chart => {
  try {
    chart.draw();
  } catch (error) {
    chart.svg.replaceWith(not_shown(error));
  }
});

function chart_controls(best) {
  const value = element('span', {class: 'num'}, '0.00');
  const slider = element('input', {type: 'range', id: 'smoothing', min: 0, max: .98, step: .02, value: 0, oninput: e => {
    view.smoothing = +e.target.value;
    value.textContent = view.smoothing.toFixed(2);
    draw_charts();
  }});
  const log = element('input', {type: 'checkbox', id: 'log', onchange: e => { view.log = e.target.checked; draw_charts(); }});
  return element('div', {class: 'controls'}, element('label', {}, 'smoothing', slider, value),
                 element('label', {}, log, 'logarithmic'), element('span', {}, 'point at a curve for its values'),
                 finite(best) ? element('span', {}, `dotted line: epoch ${best}, the best`) : null);
}
