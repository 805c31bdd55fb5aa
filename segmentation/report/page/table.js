// Tables, and the parts of a page.

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
  const by_key = i => e => {
    if (e.key !== 'Enter' && e.key !== ' ') return;
    e.preventDefault();
    sort_by(i);
  };
  const heads = columns.map((c, i) => element('th', {class: 'sortable' + (c.number ? ' num' : ''), scope: 'col', onclick: () => sort_by(i)},
                                              element('span', {role: 'button', tabindex: 0, onkeydown: by_key(i)}, c.title)));
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
const not_shown = error => element('p', {class: 'notes'}, `This part cannot be shown: ${error.message}`);
// What `make` makes; one line in its place where the data are none that it understands, so that the rest is shown.
function shown_or_not(make) {
  try {
    return [make()].flat(Infinity).filter(Boolean);
  } catch (error) {
    return [not_shown(error)];
  }
}
function section(id, title, make) {
  const parts = shown_or_not(make);
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
