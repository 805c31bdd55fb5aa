// The page that sets several runs beside each other, and the beginning of it all.

function distinct_names(runs) {
  for (const run of runs)
    if (runs.filter(o => o.name === run.name).length > 1) run.shown_name = run.folder;
  for (const run of runs) run.name = run.shown_name || run.name;
}
function score_columns(runs) {
  const columns = new Map();
  for (const run of runs)
    for (const c of run.columns)
      if (c.key === 'val_loss' || c.key === 'train_loss' || (c.key.startsWith('val_') && (!c.detail || c.key === run.monitored())))
        columns.set(c.key, {...c, title: {val_loss: 'validation loss', train_loss: 'training loss'}[c.key] || c.title});
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
    if (values.length < 2 || typeof c.higher_is_better !== 'boolean') return null;
    return c.higher_is_better ? Math.max(...values) : Math.min(...values);
  });
  const columns = [{title: 'run', shown: (v, row) => element('span', {}, swatch(runs[row[row.length - 1]].colour), ' ' + v)},
    {title: 'best epoch', number: true},
    ...scores.map((c, k) => ({title: c.title, number: true, shown: real, class: v => finite(v) && v === top[k] ? 'top' : ''})),
    {title: 'epochs', number: true}, {title: 'time', number: true, shown: duration}, {title: 'parameters', number: true}];
  return card(sortable(columns, rows, {name: 'comparison'}),
              element('p', {class: 'faint'}, 'Of each run the scores of its best epoch; the best of each column is marked.'),
              other_images(runs));
}
// Scores on other images are not the same scores.
function other_images(runs) {
  const sets = new Set(runs.filter(run => run.data.root).map(({data: d}) => JSON.stringify([d.root, d.validation, d.validation_with])));
  return sets.size > 1 ? element('p', {class: 'faint', id: 'other-images'}, 'The runs have other data, or other validation images: ' +
                                 'their scores and losses may not be comparable.') : null;
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
  const parts = [section('results', 'Results', () => comparison_table(runs)),
                 section('settings', 'Settings that differ', () => differing_settings(runs)),
                 section('curves', 'Curves', () => comparison_charts(runs)),
                 section('commands', 'Train them again', () => runs.filter(r => r.settings.length && command(r) !== null).map(r =>
                   card(element('h3', {}, r.name), element('pre', {}, command(r)))))];
  return [element('h1', {}, `${runs.length} runs compared`), contents(), notes_of(runs), parts];
}

const all_runs = list(JSON.parse(document.getElementById('runs').textContent)).map((data, i) => new Run(table_of(data), i));
document.querySelector('main').append(...(all_runs.length === 1 ? run_page(all_runs[0]) : comparison_page(all_runs))
  .flat(Infinity).filter(Boolean));
draw_charts();
let redraw = 0;
addEventListener('resize', () => { cancelAnimationFrame(redraw); redraw = requestAnimationFrame(draw_charts); });
