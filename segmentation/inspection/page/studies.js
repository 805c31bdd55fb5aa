// ---- the page

function column(study) {
  const parts = [element('h2', {}, study.title || study.net),
    element('p', {class: 'sub'}, [study.net, study.note, `the net sees ${study.padded[0]}x${study.padded[1]} (height x width)`, `${shown(study.total('parameters'))} parameters`,
      `${shown(study.total('multiply_adds'))} multiply-adds`, finite(study.nodes[0]?.seconds) && duration(study.total('seconds'))].filter(Boolean).join(' · '))];
  let canvas = null;
  if (study.picture_uri) {
    canvas = new Canvas(study);
    parts.push(card(element('div', {class: 'scene-parts'}, canvas.canvas, pixel_card(study, canvas))), scores_table(study), taps_card(study, canvas));
    watchers.push(() => canvas.draw());
  }
  parts.push(graph_card(study), node_card(study));
  return element('section', {class: 'study', 'data-study': study.index}, parts);
}

function show(studies, at) {
  watchers.length = 0;
  const beside = at.map(i => studies[i]), main = document.querySelector('main');
  const pickers = studies.length > 1 && element('div', {class: 'controls'}, at.map((chosen_study, side) =>
    element('select', {'aria-label': side ? 'right' : 'left', onchange: e => show(studies, at.map((k, j) => j === side ? Number(e.target.value) : k))},
      studies.map((s, i) => element('option', i === chosen_study ? {value: i, selected: ''} : {value: i}, s.title)))));
  const pictured = beside.filter(s => s.picture_uri);
  main.replaceChildren(element('header', {}, element('h1', {}, document.title), pickers, pictured.length ? layer_buttons(pictured) : ''),
    element('div', {class: at.length > 1 ? 'beside' : ''}, beside.map(column)));
  for (const redraw of watchers) redraw();
}

const studies = JSON.parse(document.getElementById('studies').textContent).map((data, i) => {
  const {picture, ...rest} = data;
  return new Study({...rest, picture_uri: picture}, i);
});
show(studies, studies.length > 1 ? [0, 1] : [0]);
