'use strict';
// Draws the report from the JSON in the element "runs" (segmentation/report/run_data.h). Names come from data sets, so
// that text goes into the page as text alone, never as HTML.

// ---- elements

function element(tag, properties, ...children) {
  const e = document.createElement(tag);
  for (const [key, value] of Object.entries(properties || {})) {
    if (key === 'class') e.className = value;
    else if (key.startsWith('on')) e.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) e.setAttribute(key, value);
  }
  for (const child of children.flat(Infinity))
    if (child !== null && child !== undefined && child !== false) e.append(child);
  return e;
}
function svg(tag, attributes, text) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [key, value] of Object.entries(attributes || {})) e.setAttribute(key, value);
  if (text !== undefined) e.textContent = text;
  return e;
}
const swatch = colour => element('span', {class: 'swatch', style: `background:${colour}`});
const card = (...children) => element('div', {class: 'card'}, ...children);
const list = value => Array.isArray(value) ? value : [];
const table_of = value => value && typeof value === 'object' && !Array.isArray(value) ? value : {};

// ---- numbers: null is not defined, "inf" and "-inf" are infinite

const finite = v => typeof v === 'number' && Number.isFinite(v);
function shown(v, digits = 4) {
  if (v === 'inf') return '∞';
  if (v === '-inf') return '-∞';
  if (!finite(v)) return '–';
  if (Number.isInteger(v) && Math.abs(v) < 1e15) return v.toLocaleString('en');
  const size = Math.abs(v);
  return size >= 1e5 || size < 1e-3 ? v.toExponential(3) : v.toFixed(size >= 100 ? 1 : digits);
}
// Of a score or a loss, which is no count even where it is 1.
const real = v => finite(v) && Number.isInteger(v) ? v.toFixed(4) : shown(v);
const percent = v => finite(v) ? (v * 100).toFixed(v > 0 && v < .01 ? 2 : 1) + ' %' : '–';
function bytes(v) {
  if (!finite(v)) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (v >= 1024 && unit < units.length - 1) { v /= 1024; ++unit; }
  return v.toFixed(unit && v < 10 ? 1 : 0) + ' ' + units[unit];
}
function duration(s) {
  if (!finite(s)) return '–';
  if (s < 10) return s.toFixed(2) + ' s';
  if (s < 60) return s.toFixed(1) + ' s';
  const minutes = Math.floor(s / 60);
  return minutes < 60 ? `${minutes} min ${String(Math.floor(s % 60)).padStart(2, '0')} s`
                      : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}
const value_text = v => v === '' || v === '""' ? '(none)' : v;  // of a setting
const sum = values => values.filter(finite).reduce((a, b) => a + b, 0);
function median(values) {
  const sorted = values.filter(finite).sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
}

// ---- a run, as the page asks it

class Run {
  constructor(data, index) {
    this.name = data.name;
    this.folder = data.folder;
    this.colour = `var(--s${index % 10})`;
    this.settings = list(data.settings);
    this.columns = list(table_of(data.metrics).columns);
    this.rows = list(table_of(data.metrics).rows);
    this.notes = list(data.notes);
    this.warnings = list(data.warnings);
    const record = table_of(data.record);
    for (const key of ['net', 'data', 'best']) this[key] = table_of(record[key]);
    for (const key of ['classes', 'sessions', 'terms', 'steps', 'epochs']) this[key] = list(record[key]);
  }
  column(key) { return this.columns.findIndex(c => c.key === key); }
  has(key) { return this.column(key) >= 0; }
  values(key) {
    const at = this.column(key);
    return at < 0 ? [] : this.rows.map(row => row[at]);
  }
  points(key) {  // by epoch
    const epochs = this.values('epoch');
    return this.values(key).map((value, i) => [epochs[i], value]);
  }
  // Validation scores beside the loss.
  scores() { return this.columns.filter(c => c.key.startsWith('val_') && c.key !== 'val_loss'); }
  monitored() {
    const word = this.setting('monitor') || 'dice';
    return {loss: 'val_loss', iou: 'val_miou'}[word] || 'val_' + word;
  }
  setting(key) { return (this.settings.find(s => s.key === key) || {}).value; }
  // The row of the best epoch: the record's, else that of the monitored column.
  best_row() {
    const epochs = this.values('epoch');
    if (this.best.epoch) return this.rows[epochs.indexOf(this.best.epoch)];
    const key = this.has(this.monitored()) ? this.monitored() : 'val_loss', values = this.values(key);
    const higher = (this.columns[this.column(key)] || {}).higher_is_better;
    let at = -1;
    values.forEach((v, i) => {
      if (finite(v) && (at < 0 || (higher ? v > values[at] : v < values[at]))) at = i;
    });
    return this.rows[at];
  }
  best_value(key) {
    const row = this.best_row();
    return row ? row[this.column(key)] : null;
  }
  // Where a step lies between epochs, by the steps at which epochs ended.
  epoch_of_step(step) {
    let before = [0, 0];
    const ends = this.values('step').map((s, i) => [s, this.values('epoch')[i]]);
    for (const end of ends) {
      if (step <= end[0]) return before[1] + (step - before[0]) / (end[0] - before[0]) * (end[1] - before[1]);
      before = end;
    }
    const rate = ends.length ? before[1] / before[0] : 1 / (this.net.batches_per_epoch || 1);
    return before[1] + (step - before[0]) * rate;
  }
  step_points(index) {
    const epochs = this.values('epoch'), steps = this.values('step');
    let at = 0;
    return this.steps.map(row => {
      while (at < steps.length && steps[at] < row[0]) ++at;
      if (at >= steps.length) return [this.epoch_of_step(row[0]), row[index]];
      const s0 = at ? steps[at - 1] : 0, e0 = at ? epochs[at - 1] : 0;
      return [e0 + (row[0] - s0) / (steps[at] - s0) * (epochs[at] - e0), row[index]];
    });
  }
}

// ---- charts

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
function ticks(low, high, count) {
  const step = nice_step(high - low || 1, count), all = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; ++i) all.push(i * step);
  return all;
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
  // series: {name, colour, points, raw: drawn faintly behind, dashed}; options: key, title, mark (an x), unit, log.
  constructor(series, options) {
    this.series = series.filter(s => s.points.some(p => finite(p[1])));
    this.options = options;
    this.hidden = new Set();
    this.svg = svg('svg', {role: 'img', 'aria-label': options.title});
    this.tip = element('div', {class: 'tip', hidden: true});
    this.figure = element('figure', {class: 'chart card', 'data-chart': options.key}, element('h3', {}, options.title),
                          this.svg, this.tip, this.legend());
    this.svg.addEventListener('pointermove', e => this.hover(e));
    this.svg.addEventListener('pointerleave', () => this.leave());
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
    return element('div', {class: 'legend'}, this.series.filter(s => !s.raw).map(entry));
  }
  scale_y(v) { return this.log ? Math.log10(v) : v; }
  drawable(p) { return finite(p[0]) && finite(p[1]) && (!this.log || p[1] > 0); }
  draw() {
    const width = this.svg.clientWidth || 400, height = Math.max(170, Math.min(240, width * .5));
    const box = {left: 52, right: width - 12, top: 8, bottom: height - 24};
    this.log = view.log && this.options.log !== false;
    this.drawn = this.series.filter(s => !this.hidden.has(s)).map(s => ({
      ...s, line: view.smoothing > 0 && !s.raw ? smoothed(s.points, view.smoothing) : s.points}));
    this.svg.replaceChildren();
    this.svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.svg.setAttribute('height', height);
    const points = this.drawn.flatMap(s => s.points.filter(p => this.drawable(p)));
    if (!points.length) return;
    this.fit(points, box);
    this.draw_axes(box);
    for (const s of this.drawn) {
      if (view.smoothing > 0 && !s.raw) this.draw_line(s, s.points, 'raw');
      this.draw_line(s, s.line, s.raw ? 'raw' : s.dashed ? 'dashed' : '');
    }
    this.cross = svg('line', {class: 'cross', y1: box.top, y2: box.bottom, visibility: 'hidden'});
    this.dots = svg('g', {});
    this.svg.append(this.cross, this.dots);
  }
  fit(points, box) {
    const xs = points.map(p => p[0]), ys = points.map(p => this.scale_y(p[1]));
    const least = a => a.reduce((m, v) => v < m ? v : m, Infinity), most = a => a.reduce((m, v) => v > m ? v : m, -Infinity);
    let [x0, x1, y0, y1] = [least(xs), most(xs), least(ys), most(ys)];
    if (x0 === x1) { x0 -= .5; x1 += .5; }
    const margin = (y1 - y0) * .06 || Math.abs(y1) * .1 || .1;
    y0 = !this.log && y0 >= 0 && y0 - margin < 0 ? 0 : y0 - margin;
    y1 += margin;
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
    const row = n => element('tr', {}, element('td', {}, swatch(n.s.colour), ' ' + n.s.name),
                             element('td', {}, shown(n.s.points[n.at][1])));
    this.tip.replaceChildren(element('div', {class: 'faint'}, 'epoch ' + +epoch.toFixed(2)), element('table', {}, near.map(row)));
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
const draw_charts = () => charts.forEach(chart => chart.draw());

function chart_controls() {
  const value = element('span', {class: 'num'}, '0.00');
  const slider = element('input', {type: 'range', id: 'smoothing', min: 0, max: .98, step: .02, value: 0, oninput: e => {
    view.smoothing = +e.target.value;
    value.textContent = view.smoothing.toFixed(2);
    draw_charts();
  }});
  const log = element('input', {type: 'checkbox', id: 'log', onchange: e => { view.log = e.target.checked; draw_charts(); }});
  return element('div', {class: 'controls'}, element('label', {}, 'smoothing', slider, value),
                 element('label', {}, log, 'logarithmic'), element('span', {}, 'point at a curve for its values'));
}

// ---- tables

// columns: {title, number: true where it sorts as one, shown(value, row), class}; rows: lists of values.
function sortable(columns, rows, options = {}) {
  const body = element('tbody');
  let order = options.order || null, all = !options.first || rows.length <= options.first;
  const rank = v => finite(v) ? v : v === 'inf' ? Infinity : v === '-inf' ? -Infinity : null;
  const compare = (a, b, column) => {
    if (!columns[column].number) return String(a[column]).localeCompare(String(b[column]), 'en', {numeric: true});
    const [x, y] = [rank(a[column]), rank(b[column])];
    return x === null || y === null ? null : x - y;
  };
  const more = element('button', {type: 'button', onclick: () => { all = true; fill(); }});
  const fill = () => {
    const sorted = rows.slice();
    if (order) sorted.sort((a, b) => {
      const c = compare(a, b, order.column);  // what is not defined comes last both ways
      if (c === null) return (rank(a[order.column]) === null) - (rank(b[order.column]) === null);
      return order.descending ? -c : c;
    });
    const visible = all ? sorted : sorted.slice(0, options.first);
    body.replaceChildren(...visible.map(row => element('tr', {}, columns.map((c, i) =>
      element('td', {class: (c.number ? 'num ' : 'name ') + (c.class ? c.class(row[i], row) : '')},
              c.shown ? c.shown(row[i], row) : c.number ? shown(row[i]) : String(row[i]))))));
    heads.forEach((h, i) => order && order.column === i
      ? h.setAttribute('aria-sort', order.descending ? 'descending' : 'ascending') : h.removeAttribute('aria-sort'));
    more.hidden = all;
    more.textContent = `show all ${rows.length}`;
  };
  const sort_by = i => {
    order = order && order.column === i ? {column: i, descending: !order.descending}
                                        : {column: i, descending: !!columns[i].number};
    fill();
  };
  const heads = columns.map((c, i) => element('th', {
    class: 'sortable' + (c.number ? ' num' : ''), tabindex: 0, scope: 'col', onclick: () => sort_by(i),
    onkeydown: e => { if (e.key === 'Enter') sort_by(i); }}, c.title));
  fill();
  return [element('div', {class: 'scroll'}, element('table', {'data-table': options.name},
                                                    element('thead', {}, element('tr', {}, heads)), body)), more];
}
function pairs(rows, name) {
  return element('div', {class: 'scroll'}, element('table', {'data-table': name}, element('tbody', {}, rows
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([key, value]) => element('tr', {}, element('th', {scope: 'row'}, key), element('td', {class: 'value'}, value))))));
}

const sections = [];
function section(id, title, ...content) {
  const parts = content.flat(Infinity).filter(Boolean);
  if (!parts.length) return null;
  sections.push([id, title]);
  return element('section', {id}, element('h2', {}, title), parts);
}
function notes_of(runs) {
  const lines = runs.flatMap(run => run.notes.map(note => runs.length > 1 ? `${run.name}: ${note}` : note));
  return lines.length ? element('div', {class: 'notes', id: 'notes'}, element('ul', {}, lines.map(l => element('li', {}, l)))) : null;
}
const tile = (label, value, below) => element('div', {class: 'tile', 'data-tile': label}, element('div', {class: 'label'}, label),
                                              element('div', {class: 'value'}, value), below && element('div', {class: 'below'}, below));

// ---- one run

function score_tiles(run) {
  const best = run.best, interval = key => {
    const i = list(table_of(best.intervals)[key]);
    return i.length === 2 && finite(i[0]) ? `95 %: ${shown(i[0], 3)} … ${shown(i[1], 3)}` : null;
  };
  const tiles = Object.entries(table_of(best.scores)).map(([key, s]) => tile(key === 'loss' ? 'validation loss' : s.title,
                                                                            real(s.value), interval(key)));
  if (!tiles.length)
    for (const c of run.scores()) tiles.push(tile(c.title, real(run.best_value(c.key)), null));
  const epochs = run.values('epoch'), last = epochs[epochs.length - 1] || 0;
  tiles.push(tile('epochs', `${last}${run.net.epochs ? ' / ' + run.net.epochs : ''}`,
                  best.epoch ? `the best: ${best.epoch}` : null));
  tiles.push(tile('time', duration(sum(run.values('seconds'))), `${duration(median(run.values('seconds')))} an epoch`));
  return [element('div', {class: 'tiles', id: 'scores'}, tiles), Object.keys(table_of(best.intervals)).length
    ? element('p', {class: 'faint'}, `Scores of epoch ${best.epoch} on ${best.images} validation images; the intervals are of ` +
      `${best.interval_sets} sets drawn with replacement from these images, not of other trainings.`) : null];
}

function run_charts(run) {
  const mark = run.best.epoch, all = [];
  const add = (key, title, series, more = {}) => {
    const chart = new Chart(series, {key, title, mark, ...more});
    if (chart.series.length) all.push(chart.figure);
    else charts.pop();
  };
  add('loss', 'Loss', [
    {name: 'training, steps', colour: 'var(--s0)', points: run.step_points(2), raw: true},
    {name: 'training', colour: 'var(--s0)', points: run.points('train_loss')},
    {name: 'validation', colour: 'var(--s1)', points: run.points('val_loss')}]);
  add('scores', 'Scores on validation images', run.scores().map((c, i) => (
    {name: c.title, colour: `var(--s${i % 10})`, points: run.points(c.key)})), {log: false});
  if (run.terms.length > 1)
    add('terms', 'Terms of the training loss', run.terms.flatMap((name, i) => {
      const colour = `var(--s${(i + 2) % 10})`;
      return [{name: name + ', steps', colour, points: run.step_points(3 + i), raw: true},
              {name, colour, points: run.epochs.map(e => [e.epoch, list(e.terms)[i]])}];
    }));
  const classes = run.epochs.reduce((n, e) => Math.max(n, list(e.class_iou).length), 0);
  if (classes > 1)
    add('class_iou', 'IoU by class', run.classes.slice(0, classes).map((c, i) => (
      {name: c.name, colour: `var(--s${i % 10})`, dashed: i >= 10,
       points: run.epochs.map(e => [e.epoch, list(e.class_iou)[i]])})), {log: false});
  add('rate', 'Learning rate', [{name: 'learning rate', colour: 'var(--s3)',
    points: run.steps.length ? run.step_points(1) : run.points('learning_rate')}]);
  add('speed', 'Training images a second', [{name: 'images/s', colour: 'var(--s6)',
    points: run.epochs.map(e => [e.epoch, e.images_per_second])}], {log: false});
  return all.length ? [chart_controls(), element('div', {class: 'columns'}, all)] : [];
}

const class_label = c => element('span', {}, swatch(c.colour), ' ' + c.name);
function classes_section(run) {
  const found = list(run.best.classes);
  if (!found.length) return [];
  const truth = sum(found.map(c => c.truth)), predicted = sum(found.map(c => c.predicted));
  const titles = Object.keys(table_of(found[0].scores)), absent = c => c.truth === 0 && c.predicted === 0;
  const rows = found.map((c, i) => [(run.classes[i] || {name: String(i)}).name, ...titles.map(t => table_of(c.scores)[t]),
                                    c.truth / truth, c.predicted / predicted, i]);
  const columns = [{title: 'class', shown: (v, row) => class_label(run.classes[row[row.length - 1]] || {name: v, colour: '#888'})},
    ...titles.map(title => ({title, number: true, shown: (v, row) => absent(found[row[row.length - 1]])
      ? element('span', {class: 'faint'}, 'absent') : real(v)})),
    {title: 'truth', number: true, shown: percent}, {title: 'predicted', number: true, shown: percent}];
  return [card(sortable(columns, rows, {name: 'classes', first: 60})), hardest(run, found)];
}
// The present classes with the lowest IoU, and what their pixels are taken for.
function hardest(run, found) {
  const confusion = list(run.best.confusion), name = i => (run.classes[i] || {name: String(i)}).name;
  const iou = c => table_of(c.scores).IoU;
  const lines = found.map((c, i) => [c, i]).filter(([c]) => c.truth > 0 && finite(iou(c)))
    .sort((a, b) => iou(a[0]) - iou(b[0])).slice(0, 3).map(([c, i]) => {
      const row = list(confusion[i]).slice();
      row[i] = -1;
      const other = row.indexOf(Math.max(...row)), share = row[other] / c.truth;
      return element('li', {}, element('b', {}, name(i)), `: IoU ${real(iou(c))}`, share > 0
        ? `; ${percent(share)} of its pixels are taken for ${name(other)}` : '');
    });
  return lines.length ? card(element('h3', {}, 'Hardest classes'), element('ol', {id: 'hardest'}, lines)) : null;
}

function confusion_section(run) {
  const all = list(run.best.confusion);
  if (all.length < 2) return [];
  const most = 30, truth = all.map(row => sum(row)), ids = all.map((_, i) => i);
  const kept = all.length <= most ? ids : ids.sort((a, b) => truth[b] - truth[a]).slice(0, most).sort((a, b) => a - b);
  const name = i => (run.classes[i] || {name: String(i)}).name, place = element('div', {class: 'scroll'});
  const cell = (t, p, pixels) => {
    const share = truth[t] ? all[t][p] / truth[t] : null;
    const text = share === null ? '–' : pixels ? all[t][p].toLocaleString('en') : (share * 100).toFixed(1);
    return element('td', {
      class: share === null ? 'absent' : '', title: `${name(t)} taken for ${name(p)}: ${all[t][p].toLocaleString('en')} pixels`,
      style: share === null ? null : `background:rgba(var(--heat),${(share * .75).toFixed(3)})` }, text);
  };
  const fill = pixels => place.replaceChildren(element('table', {class: 'matrix', 'data-table': 'confusion'},
    element('thead', {}, element('tr', {}, element('th', {class: 'row'}, 'truth ↓  predicted →'),
                                 kept.map(p => element('th', {class: 'col', title: name(p)}, name(p))))),
    element('tbody', {}, kept.map(t => element('tr', {}, element('th', {class: 'row', title: name(t)}, name(t)),
                                               kept.map(p => cell(t, p, pixels)))))));
  fill(false);
  const toggle = element('input', {type: 'checkbox', onchange: e => fill(e.target.checked)});
  const absent = kept.filter(t => !truth[t]).map(name);
  return card(element('div', {class: 'controls'}, element('span', {}, 'percent of the true pixels of a class'),
                      element('label', {}, toggle, 'pixels')), place,
              absent.length ? element('p', {class: 'faint'}, `Absent from these images: ${absent.join(', ')}.`) : null,
              kept.length < all.length ? element('p', {class: 'faint'}, `The ${most} most frequent of ${all.length} classes.`) : null);
}

function shots(run, images, title) {
  if (!images.length) return [];
  const picture = (source, label, photo) => element('figure', {}, element('img', {
    src: /^data:image\//.test(source) ? source : '', alt: label, class: photo ? 'photo' : ''}), element('figcaption', {}, label));
  const score = run.classes.length === 2 ? 'Dice' : 'mIoU';
  return [element('h3', {style: 'margin-top:14px'}, title), element('div', {class: 'shots'}, images.map(i =>
    element('div', {class: 'card shot'}, element('div', {class: 'title'}, element('span', {title: i.name}, i.name),
      element('span', {class: 'num faint'}, `loss ${real(i.loss)}, ${score} ${real(i.score)}`)),
      element('div', {class: 'four'}, picture(i.picture, 'image', true), picture(i.truth, 'truth'),
              picture(i.prediction, 'prediction'), picture(i.errors, 'errors')))))];
}
function images_section(run) {
  const worst = list(run.best.worst_images), best = list(run.best.best_images);
  if (!worst.length && !best.length) return [];
  const key = (colour, text) => element('span', {}, swatch(colour), ' ' + text);
  const errors = run.classes.length === 2
    ? [key('#00c48c', 'found'), key('#3c8cff', 'missed'), key('#ff6a13', 'false alarm'), key('#8a8f98', 'ignored')]
    : [key('#ff5d5d', 'wrong'), key('#171b22', 'right'), key('#8a8f98', 'ignored')];
  const classes = run.classes.length > 2 && run.classes.length <= 40 ? run.classes.map(class_label) : [];
  return [element('div', {class: 'legend'}, element('b', {}, 'errors'), errors),
          classes.length ? element('div', {class: 'legend'}, element('b', {}, 'classes'), classes) : null,
          shots(run, worst, 'Highest loss'), shots(run, best, 'Lowest loss')];
}
function image_table(run) {
  const t = table_of(run.best.table), columns = list(t.columns), rows = list(t.rows);
  if (!rows.length) return [];
  return card(sortable(columns.map((title, i) => ({title, number: i > 0, shown: i > 0 ? real : null})), rows,
                       {name: 'images', first: 20, order: {column: 1, descending: true}}),
              t.of > rows.length ? element('p', {class: 'faint'}, `The ${rows.length} of ${t.of} images with the highest loss.`) : null);
}

function settings_section(run) {
  if (!run.settings.length) return [];
  const rows = some => some.map(s => element('tr', {}, element('td', {}, s.key), element('td', {class: 'value'}, value_text(s.value)),
                                             element('td', {class: 'faint value'}, s.default === null ? '' : value_text(s.default))));
  const table = (some, name) => element('div', {class: 'scroll'}, element('table', {'data-table': name}, element('thead', {},
    element('tr', {}, ['setting', 'value', 'default'].map(t => element('th', {}, t)))), element('tbody', {}, rows(some))));
  const differ = run.settings.filter(s => s.differs), groups = [...new Set(run.settings.map(s => s.group))];
  return card(element('h3', {}, 'Different from the default'), table(differ, 'settings'),
              element('details', {}, element('summary', {}, `all ${run.settings.length} settings`), groups.map(g => [
                element('h3', {style: 'margin-top:14px'}, g), table(run.settings.filter(s => s.group === g), 'all-settings')])));
}
// As a shell takes it.
const quoted = word => /^[\w\/.:,=+@%-]+$/.test(word) ? word : "'" + word.replace(/'/g, "'\\''") + "'";
function command(run) {
  const skipped = ['output-dir'];
  return 'atrous train' + run.settings.filter(s => s.differs && !skipped.includes(s.key)).map(s =>
    s.is_flag ? (s.value === 'true' ? ` --${s.key}` : ` --no-${s.key}`) : ` --${s.key} ${list(s.words).map(quoted).join(' ')}`).join('');
}
function command_section(run) {
  if (!run.settings.length) return [];
  const text = command(run);
  return card(element('pre', {}, text), element('button', {type: 'button', onclick: e => {
    const done = () => { e.target.textContent = 'copied'; };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => {});
  }}, 'copy'));
}

function data_section(run) {
  const d = run.data;
  if (!d.root) return [];
  const pixels = list(d.pixels), of = sum(pixels) + (d.ignored_pixels || 0), most = Math.max(...pixels, 1);
  const rows = run.classes.slice(0, pixels.length).map((c, i) => [c.name, pixels[i] / of, list(d.train_with)[i], list(d.validation_with)[i], i]);
  const columns = [{title: 'class', shown: (v, row) => class_label(run.classes[row[4]])},
    {title: 'share of pixels', number: true, shown: (v, row) => [
      element('span', {class: 'bar', style: `width:${(pixels[row[4]] / most * 70).toFixed(1)}px`}), ' ' + percent(v)]},
    {title: 'training images', number: true}, {title: 'validation images', number: true}];
  const sizes = d.smallest === d.largest ? d.largest : `${d.smallest} … ${d.largest} (${d.sizes} sizes)`;
  return element('div', {class: 'columns'}, card(pairs([
    ['folder', d.root], ['layout', d.layout], ['images', `${shown(d.train)} train, ${shown(d.validation)} validate` +
      (d.test ? `, ${shown(d.test)} test` : '')], ['sizes', sizes], ['seen by the net', `${run.net.size}, crops ${run.net.crop}`],
    ['channels', shown(d.channels)], ['mask values', d.mask_values],
    ['ignored pixels', of ? percent(d.ignored_pixels / of) : null]], 'data'),
    list(d.notes).length ? element('details', {}, element('summary', {}, `${d.notes.length} notes`),
                                   element('ul', {}, d.notes.map(n => element('li', {}, n)))) : null),
    rows.length ? card(sortable(columns, rows, {name: 'shares', first: 40})) : null);
}
function cost_section(run) {
  const of = key => run.epochs.map(e => e[key]), last = run.epochs[run.epochs.length - 1] || {};
  const total = sum(run.values('seconds'));
  if (!run.rows.length) return [];
  return card(pairs([
    ['time in all', duration(total)], ['an epoch (median)', duration(median(run.values('seconds')))],
    ['training', run.epochs.length ? `${duration(sum(of('train_seconds')))} (${shown(median(of('images_per_second')), 1)} images/s)` : null],
    ['validation', run.epochs.length ? duration(sum(of('validation_seconds'))) : null],
    ['tensors at most', run.epochs.length ? bytes(last.device_bytes) : null],
    ['process at most', run.epochs.length ? bytes(last.resident_bytes) : null],
    ['parameters', run.net.parameters ? shown(run.net.parameters) : null]], 'cost'));
}
function environment_section(run) {
  return run.sessions.map(s => card(element('h3', {}, `${s.began || ''}, from epoch ${s.first_epoch}`),
                                    pairs(Object.entries(table_of(s.environment)), 'environment')));
}
function warnings_section(run) {
  return run.warnings.length ? card(element('ul', {}, run.warnings.map(w => element('li', {class: 'value'}, w)))) : [];
}

function run_page(run) {
  const about = [run.net.model && `${run.net.model}, ${shown(run.net.parameters)} parameters`, run.net.loss && `loss ${run.net.loss}`,
                 run.net.precision, run.folder].filter(Boolean).join(' · ');
  const parts = [
    section('curves', 'Curves', run_charts(run)), section('classes', 'Classes', classes_section(run)),
    section('confusion', 'Confusion', confusion_section(run)), section('images', 'Validation images', images_section(run)),
    section('table', 'All validation images', image_table(run)), section('settings', 'Settings', settings_section(run)),
    section('command', 'Train it again', command_section(run)), section('data', 'Data', data_section(run)),
    section('cost', 'Time and memory', cost_section(run)), section('environment', 'Environment', environment_section(run)),
    section('warnings', 'Warnings', warnings_section(run))];
  return [element('h1', {}, `Run ${run.name}`), element('p', {class: 'sub'}, about), contents(), notes_of([run]), score_tiles(run), parts];
}
const contents = () => element('nav', {}, sections.map(([id, title]) => element('a', {href: '#' + id}, title)));

// ---- several runs

function distinct_names(runs) {
  for (const run of runs)
    if (runs.filter(o => o.name === run.name).length > 1) run.shown_name = run.folder;
  for (const run of runs) run.name = run.shown_name || run.name;
}
function score_columns(runs) {
  const columns = new Map();
  for (const run of runs)
    for (const c of run.columns)
      if (c.key === 'val_loss' || c.key === 'train_loss' || c.key.startsWith('val_'))
        columns.set(c.key, {...c, title: {val_loss: 'validation loss', train_loss: 'training loss'}[c.key] || c.title,
                            higher: c.higher_is_better && c.key !== 'train_loss'});
  return [...columns.values()];
}
function comparison_table(runs) {
  const scores = score_columns(runs), rows = runs.map((run, i) => {
    const epochs = run.values('epoch');
    return [run.name, run.best.epoch || run.best_value('epoch'), ...scores.map(c => run.best_value(c.key)),
            epochs[epochs.length - 1] || 0, sum(run.values('seconds')), run.net.parameters || null, i];
  });
  const top = scores.map((c, k) => {
    const values = rows.map(r => r[2 + k]).filter(finite);
    return values.length < 2 ? null : c.higher ? Math.max(...values) : Math.min(...values);
  });
  const columns = [{title: 'run', shown: (v, row) => element('span', {}, swatch(runs[row[row.length - 1]].colour), ' ' + v)},
    {title: 'best epoch', number: true},
    ...scores.map((c, k) => ({title: c.title, number: true, shown: real, class: v => finite(v) && v === top[k] ? 'top' : ''})),
    {title: 'epochs', number: true}, {title: 'time', number: true, shown: duration}, {title: 'parameters', number: true}];
  return card(sortable(columns, rows, {name: 'comparison'}),
              element('p', {class: 'faint'}, 'Of each run the scores of its best epoch; the best of each column is marked.'));
}
function comparison_charts(runs) {
  const keys = [...score_columns(runs), {key: 'learning_rate', title: 'learning rate'}], all = [];
  for (const c of keys) {
    const chart = new Chart(runs.map(run => ({name: run.name, colour: run.colour, points: run.points(c.key)})),
                            {key: c.key, title: c.title, log: /loss|rate/.test(c.key)});
    if (chart.series.length) all.push(chart.figure);
    else charts.pop();
  }
  return all.length ? [chart_controls(), element('div', {class: 'columns'}, all)] : [];
}
function differing_settings(runs) {
  const keys = [...new Set(runs.flatMap(run => run.settings.map(s => s.key)))];
  const rows = keys.filter(key => key !== 'output-dir' && new Set(runs.map(run => run.setting(key))).size > 1)
    .map(key => [key, ...runs.map(run => run.setting(key))]);
  if (!rows.length) return card(element('p', {class: 'faint'}, 'None.'));
  return card(sortable([{title: 'setting'}, ...runs.map(run => ({title: run.name, shown: v => v === undefined ? '–' : value_text(v)}))],
                       rows, {name: 'differing'}));
}
function comparison_page(runs) {
  distinct_names(runs);
  const parts = [section('results', 'Results', comparison_table(runs)), section('settings', 'Settings that differ', differing_settings(runs)),
                 section('curves', 'Curves', comparison_charts(runs)),
                 section('commands', 'Train them again', runs.filter(r => r.settings.length).map(r =>
                   card(element('h3', {}, r.name), element('pre', {}, command(r)))))];
  return [element('h1', {}, `${runs.length} runs compared`), contents(), notes_of(runs), parts];
}

const all_runs = list(JSON.parse(document.getElementById('runs').textContent)).map((data, i) => new Run(table_of(data), i));
document.querySelector('main').append(...(all_runs.length === 1 ? run_page(all_runs[0]) : comparison_page(all_runs))
  .flat(Infinity).filter(Boolean));
draw_charts();
let redraw = 0;
addEventListener('resize', () => { cancelAnimationFrame(redraw); redraw = requestAnimationFrame(draw_charts); });
