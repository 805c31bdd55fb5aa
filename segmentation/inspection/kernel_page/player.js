// ---- playing: buttons, keys, the bar, and a picture of all steps

const SPEEDS = [1, 2, 4, 8, 16, 32, 64, 128, 256];
let clock = null;  // when the last frame of playing was drawn
const frame_times = [];  // of playing, in milliseconds: the time that drawing took
function tick(now) {
  if (!chosen.playing) return;
  const due = Math.floor((now - clock) * chosen.speed / 1000);
  if (due > 0) {
    clock += due * 1000 / chosen.speed;
    const before = performance.now(), next = position() + due;
    go_to(next);
    frame_times.push(performance.now() - before);
    if (frame_times.length > 600) frame_times.shift();
    if (next >= order.length - 1) choose({playing: false});
  }
  requestAnimationFrame(tick);
}
function play(on = !chosen.playing) {
  if (on && position() >= order.length - 1) go_to(0);
  choose({playing: on});
  clock = performance.now();
  if (on) requestAnimationFrame(tick);
}

const KEYS = {
  k: () => play(), ArrowRight: e => go_to(position() + (e.shiftKey ? 10 : 1)), ArrowLeft: e => go_to(position() - (e.shiftKey ? 10 : 1)),
  n: () => to_same_line(1), p: () => to_same_line(-1), b: () => to_barrier(),
};
const KEYS_OF_PLAYER = {  // elsewhere they scroll the page
  ' ': () => play(), Home: () => go_to(0), End: () => go_to(order.length - 1), ArrowUp: () => change_speed(1), ArrowDown: () => change_speed(-1),
};
const change_speed = by => choose({speed: SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, SPEEDS.indexOf(chosen.speed) + by))]});
function to_same_line(by) {
  const {steps} = block_now(), line = trace.line_of(step_now().site);
  for (let i = position() + by; i >= 0 && i < order.length; i += by) if (trace.line_of(steps[order[i]].site) === line) return go_to(i);
}
function to_barrier() {
  const {steps} = block_now();
  for (let i = position() + 1; i < order.length; ++i)
    if (['block_barrier', 'named_barrier', 'mbarrier_wait', 'async_wait'].includes(steps[order[i]].kind)) return go_to(i);
}
document.addEventListener('keydown', e => {
  const {tagName, type} = e.target, in_player = e.target.closest?.('.player');
  if (e.ctrlKey || e.metaKey || e.altKey || !is_playable()) return;
  if (tagName === 'SELECT' || tagName === 'INPUT' && (type !== 'range' || e.key.length > 1) || tagName === 'BUTTON' && e.key === ' ') return;
  const act = KEYS[e.key] || in_player && KEYS_OF_PLAYER[e.key];
  if (!act) return;
  e.preventDefault();
  act(e);
});

function picker(label, options, value, onchange) {
  const select = element('select', {'aria-label': label, onchange: e => onchange(e.target.value)}, options.map(([v, text]) => element('option', {value: v}, text)));
  select.value = value;
  return element('label', {}, label, select);
}

const place_pickers = () => [
  launches.length > 1 && picker('launch', launches.map((l, i) => [i, `${i + 1}: ${short_kernel(l.kernel)}`]), chosen.launch, v => show({launch: Number(v)})),
  picker('block', launch_now().blocks.map((b, i) => [i, b.name]), chosen.block, v => show({block: Number(v)})),
];

// What had the focus has it again, by its place among all that can have it.
function redraw_in(container, ...children) {
  const able = () => [...container.querySelectorAll('button, input, select, [tabindex]')], at = able().indexOf(document.activeElement);
  container.replaceChildren(...children);
  if (at >= 0) able()[at]?.focus({preventScroll: true});
}

function player_bar() {
  const play_button = element('button', {class: 'play', onclick: () => play(), 'aria-label': 'play or pause'});
  const button = (text, label, to) => element('button', {onclick: () => to(), 'aria-label': label, title: label}, text);
  const bar = element('input', {type: 'range', min: 0, max: Math.max(0, order.length - 1), value: 0, class: 'scrub', 'aria-label': 'step',
                                oninput: e => go_to(Number(e.target.value))});
  const said = element('p', {class: 'now num'}), line_text = element('p', {class: 'line'});
  const speeds = picker('speed', SPEEDS.map(s => [s, `${s} a second`]), chosen.speed, v => choose({speed: Number(v)}));
  watchers.push(() => {
    const step = step_now(), [file, line] = step ? trace.frame(step.site) : ['', 0];
    play_button.textContent = chosen.playing ? '❚❚ pause' : '▶ play';
    bar.max = Math.max(0, order.length - 1);
    bar.value = position();
    speeds.querySelector('select').value = chosen.speed;
    said.textContent = step ? `step ${position() + 1} of ${order.length} · warp ${step.warp} · ${text_of_kind(step.kind)} · ${short_file(file)}:${line}` : 'no step of this launch was kept';
    line_text.textContent = step ? text_of_line(file, line).trim() : '';
  });
  return element('div', {class: 'player', tabindex: 0, role: 'group', 'aria-label': 'player'},
    element('div', {class: 'controls'},
      place_pickers(), picker('warp', [['', 'all'], ...Array.from({length: block_now().warps}, (_, w) => [w, w])], chosen.warp ?? '',
                            v => { choose({warp: v === '' ? null : Number(v), playing: false}); refresh_order(); go_to(position()); })),
    element('div', {class: 'controls'},
      button('|‹', 'first step', () => go_to(0)), button('‹', 'step before', () => go_to(position() - 1)), play_button,
      button('›', 'next step', () => go_to(position() + 1)), button('barrier ›', 'next barrier or wait', to_barrier), speeds, bar), said, line_text);
}

const text_of_line = (file, line) => trace.lines_of(file)?.[line - 1] ?? '';
const short_kernel = name => name.length > 60 ? name.slice(0, 57) + '…' : name;

// A row for each warp, to the right as the block runs.
function timeline() {
  const block = block_now(), row = Math.max(3, Math.min(14, Math.floor(160 / block.warps)));
  const canvas = element('canvas', {class: 'timeline', height: row * block.warps + 6, 'aria-label': 'steps of all warps', onclick: e => {
    const box = canvas.getBoundingClientRect();
    const step = Math.floor((e.clientX - box.left) / box.width * block.steps.length);
    choose({step: Math.max(0, Math.min(block.steps.length - 1, step))});
    go_to(position());
  }});
  let picture = null, drawn = 0;
  const draw_all = () => {
    drawn = canvas.clientWidth;
    canvas.width = drawn;
    picture = element('canvas', {width: drawn, height: canvas.height});
    const context = picture.getContext('2d'), width = Math.max(1, drawn / block.steps.length);
    for (const step of block.steps) {
      context.fillStyle = colour(COLOURS[family_of(step.kind)]);
      context.fillRect(Math.floor(step.index * drawn / block.steps.length), 3 + step.warp * row, Math.ceil(width), Math.max(1, row - 1));
    }
  };
  watchers.push(() => {
    if (!canvas.clientWidth) return;
    if (drawn !== canvas.clientWidth) draw_all();
    const context = canvas.getContext('2d'), x = (chosen.step + .5) * drawn / block.steps.length;
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.drawImage(picture, 0, 0);
    context.fillStyle = colour('--ink');
    context.fillRect(Math.round(x) - 1, 0, 2, canvas.height);
  });
  const kinds = new Set(block.steps.map(s => family_of(s.kind)));
  return card(element('h3', {}, 'Steps of the block'), canvas,
    element('div', {class: 'legend'}, Object.keys(COLOURS).filter(f => kinds.has(f)).map(f => element('span', {class: 'key'}, swatch(`var(${COLOURS[f]})`), FAMILIES[f]))),
    element('p', {class: 'sub'}, 'A row is a warp; to the right as the block ran in the emulator. On a GPU warps take turns otherwise, but each keeps its order. Click to go there.'));
}

// ---- colours of the style, for canvases

const colours = new Map();
function colour(name) {
  if (!colours.has(name)) colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return colours.get(name);
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { colours.clear(); show({}); });
const rgb_of = hex => [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16));
