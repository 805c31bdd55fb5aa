// The page of one run.

function score_tiles(run) {
  const best = run.best, interval = key => {
    const i = list(table_of(best.intervals)[key]);
    return i.length === 2 && finite(i[0]) ? `${shown(i[0], 3)} … ${shown(i[1], 3)}` : null;
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
    ? element('p', {class: 'faint'}, `Epoch ${best.epoch} on ${best.images} validation images, with 95 % intervals ` +
      `of ${best.interval_sets} sets drawn from them with replacement (not of other trainings).`)
    : best.interval_sets === 0 ? element('p', {class: 'faint'}, `Epoch ${best.epoch} on ${best.images} validation images: ` +
      'with their classes too many for intervals.') : null];
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
    points: run.epochs.map(e => [e.epoch, e.images_a_second])}], {log: false});
  return all.length ? [chart_controls(mark), element('div', {class: 'columns'}, all)] : [];
}

// The curve of two classes, with the thresholds at which their Dice is highest and at which masks are made.
function precision_recall_section(run) {
  const curve = table_of(run.best.precision_recall), points = list(curve.points);
  if (!points.length) return [];
  const dice = ([r, p]) => p + r > 0 ? 2 * p * r / (p + r) : 0, threshold = t => finite(t) ? String(+t.toPrecision(4) < 1 ? +t.toPrecision(4) : t) : '–';
  const is_point = p => list(p).length === 3 && finite(p[0]) && finite(p[1]), name = (run.classes[1] || {name: '1'}).name;
  const best = is_point(curve.best) ? curve.best : null, half = is_point(curve.at_half) ? curve.at_half : null;
  const chart = new Chart([{name: 'all thresholds', colour: 'var(--s0)', points}], {
    key: 'precision_recall', title: `Precision (upwards) by recall of ${name}`, log: false, smooth: false, plane: [0, 1, 0, 1],
    spots: [half && {at: half, name: 'threshold 0.5', colour: 'var(--s9)'},
            best && {at: best, name: `best threshold ${threshold(best[2])}`, colour: 'var(--s1)'}].filter(Boolean),
    tip: p => ['threshold ' + threshold(p[2]), [['precision', real(p[1])], ['recall', real(p[0])], ['Dice', real(dice(p))]]]});
  const facts = [['average precision', real(curve.average_precision)],
                 ['best threshold', best && `${threshold(best[2])}: Dice ${real(dice(best))}`],
                 ['at 0.5', half && `Dice ${real(dice(half))}, precision ${real(half[1])}, recall ${real(half[0])}`]];
  return element('div', {class: 'columns'}, chart.figure, card(pairs(facts, 'precision_recall'), element('p', {class: 'faint'},
    'Of all pixels of the validation images as the net sees them. ', best ? ['The best threshold was chosen on these images, so that its Dice ' +
    'flatters. predict and eval take it: ', element('span', {class: 'word'}, `--threshold ${best[2]}`)]
    : 'The net has a channel for each class and takes no threshold.')));
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

// An object and its background; not two classes that overlap.
const is_binary = run => run.classes.length === 2 && run.data.mask_values !== 'bits';

function shots(run, images, title) {
  if (!images.length) return [];
  const picture = (source, label, photo) => element('figure', {}, element('img', {
    src: /^data:image\//.test(source) ? source : '', alt: label, class: photo ? 'photo' : ''}), element('figcaption', {}, label));
  const score = is_binary(run) ? 'Dice' : 'mIoU';
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
  const errors = is_binary(run)
    ? [key('#00c48c', 'found'), key('#3c8cff', 'missed'), key('#ff6a13', 'false alarm'), key('#8a8f98', 'ignored')]
    : [key('#ff5d5d', 'wrong'), key('#171b22', 'right'), key('#8a8f98', 'ignored')];
  const classes = !is_binary(run) && run.classes.length <= 40 ? run.classes.map(class_label) : [];
  return [element('div', {class: 'legend'}, element('b', {}, 'errors'), errors),
          classes.length ? element('div', {class: 'legend'}, element('b', {}, 'classes'), classes) : null,
          shots(run, worst, 'Highest loss'), shots(run, best, 'Lowest loss')];
}
// Where the net errs most: of the images with the hardest regions the whole, and the region from near by.
function regions_section(run) {
  const regions = list(run.best.regions);
  if (!regions.length) return [];
  const name = i => (run.classes[i] || {name: String(i)}).name;
  const share = v => `${(v * 100).toFixed(2)}%`;
  const framed = (source, label, frame, photo) => {
    const [left, top, width, height] = list(frame);
    return element('figure', {}, element('div', {class: 'framed'},
      element('img', {src: /^data:image\//.test(source) ? source : '', alt: label, class: photo ? 'photo' : ''}),
      element('div', {class: 'frame', style: `left:${share(left)};top:${share(top)};width:${share(width)};height:${share(height)}`})),
      element('figcaption', {}, label));
  };
  const mistake = r => r.mistaken > 0 ? `${percent(r.mistaken)} of its pixels are ${name(r.truth)} taken for ${name(r.predicted)}`
                                      : r.wrong > 0 ? '' : 'no pixel is taken for another class';  // labels in bits have no pairs
  return [element('p', {class: 'faint'}, 'Of the images with the hardest regions the square in which the mean cross-entropy of the ' +
                  'pixels, in nats, is highest.'),
          element('div', {class: 'shots'}, regions.map(r => element('div', {class: 'card shot'},
            element('div', {class: 'title'}, element('span', {title: r.name}, r.name),
                    element('span', {class: 'num faint'}, `loss ${real(r.loss)}, ${percent(r.wrong)} wrong`)),
            element('div', {class: 'four'}, framed(r.picture, 'image', r.frame, true), framed(table_of(r.close).picture, 'near by', r.close_frame, true),
                    framed(table_of(r.close).truth, 'truth', r.close_frame), framed(table_of(r.close).prediction, 'prediction', r.close_frame)),
            element('p', {class: 'faint'}, mistake(r)))))];
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
// Null where a word holds bytes that are no UTF-8, which stand as the private characters U+10FF80 to U+10FFFF.
function command(run) {
  const skipped = ['output-dir'], given = run.settings.filter(s => s.differs && !skipped.includes(s.key));
  if (given.some(s => list(s.words).some(word => /[\u{10ff80}-\u{10ffff}]/u.test(word)))) return null;
  return 'atrous train' + given.map(s =>
    s.is_flag ? (s.value === 'true' ? ` --${s.key}` : ` --no-${s.key}`) : ` --${s.key} ${list(s.words).map(quoted).join(' ')}`).join('');
}
function command_section(run) {
  if (!run.settings.length) return [];
  const text = command(run);
  if (text === null)
    return card(element('p', {class: 'faint'}, 'A setting holds bytes that are no text, so that no command can be shown: config.toml has them.'));
  return card(element('p', {class: 'faint'}, 'With the settings of its last session.'), element('pre', {}, text), element('button', {type: 'button', onclick: e => {
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
    ['training', run.epochs.length ? `${duration(sum(of('train_seconds')))} (${shown(median(of('images_a_second')), 1)} images/s)` : null],
    ['validation', run.epochs.length ? duration(sum(of('val_seconds'))) : null],
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
  const parts = [['curves', 'Curves', run_charts],
    ['precision_recall', 'Precision and recall', precision_recall_section], ['classes', 'Classes', classes_section], ['confusion', 'Confusion', confusion_section],
    ['images', 'Validation images', images_section], ['regions', 'Hardest regions', regions_section], ['table', 'All validation images', image_table],
    ['settings', 'Settings', settings_section], ['command', 'Train it again', command_section], ['data', 'Data', data_section],
    ['cost', 'Time and memory', cost_section], ['environment', 'Environment', environment_section],
    ['warnings', 'Warnings', warnings_section]].map(([id, title, make]) => section(id, title, () => make(run)));
  return [element('h1', {}, `Run ${run.name}`), element('p', {class: 'sub'}, about), contents(), notes_of([run]),
          shown_or_not(() => score_tiles(run)), parts];
}
const contents = () => element('nav', {}, sections.map(([id, title]) => element('a', {href: '#' + id}, title)));
