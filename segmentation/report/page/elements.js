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
