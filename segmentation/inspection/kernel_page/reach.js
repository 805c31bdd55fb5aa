// ---- where an element of a result comes from, by the op's definition

// What an element needs: by array its elements, and the taps that lie in the padding.
class Needs {
  constructor() { Object.assign(this, {elements: new Map(), dead: new Map(), text: ''}); }
  of(buffer) {
    if (!this.elements.has(buffer.index)) this.elements.set(buffer.index, new Set());
    return this.elements.get(buffer.index);
  }
  add(buffer, n, h, w, c) {
    if (!buffer) return;
    const [planes, rows, columns, channels] = buffer.shape, elements = this.of(buffer);
    if (h >= 0 && w >= 0 && h < rows && w < columns) {
      if (n < planes && c < channels) elements.add(buffer.element_at(n, h, w, c));
      return;
    }
    if (!this.dead.has(buffer.index)) this.dead.set(buffer.index, new Map());
    this.dead.get(buffer.index).set(`${n} ${h} ${w}`, {n, h, w});
  }
  add_flat(buffer, i) {
    if (buffer) this.of(buffer).add(i);
  }
  add_channel(buffer, c) {
    if (!buffer) return;
    const [planes, rows, columns] = buffer.shape;
    for (let n = 0; n < planes; ++n) for (let h = 0; h < rows; ++h) for (let w = 0; w < columns; ++w) this.add(buffer, n, h, w, c);
  }
  add_all(buffer) {
    if (!buffer) return;
    if (!buffer.tensor) for (let i = 0; i < buffer.count; ++i) this.add_flat(buffer, i);
    else for (let c = 0; c < buffer.shape[3]; ++c) this.add_channel(buffer, c);
  }
  // Taps in the padding: those near enough to be drawn beside the picture, and the others.
  taps_beyond(buffer) {
    const taps = [...this.dead.get(buffer.index)?.values() || []], [, rows, columns] = buffer.dims;
    const most = buffer.flat ? -Infinity : Math.max(4, Math.ceil(Math.max(rows, columns) / 2));
    const is_near = t => Math.max(-t.h, -t.w, t.h - rows + 1, t.w - columns + 1) <= most;
    return {near: taps.filter(is_near), far: taps.filter(t => !is_near(t))};
  }
}

const named = name => trace.buffers.find(b => b.name === name);
const number_of = (name, otherwise) => table_of(trace.numbers)[name] ?? otherwise;  // absent where none was given

function taps_of(weight) {
  const side = weight.shape[1], dilation = number_of('dilation', 1);
  return {height: weight.shape[1], width: weight.shape[2], dilation, stride: number_of('stride', 1),
          padding: number_of('padding', Math.floor(dilation * (side - 1) / 2))};
}

function conv_forward(needs, to) {
  const x = named('x'), weight = named('weight'), t = taps_of(weight), channels = x.shape[3];
  for (let r = 0; r < t.height; ++r)
    for (let s = 0; s < t.width; ++s)
      for (let c = 0; c < channels; ++c) {
        needs.add(x, to.n, to.h * t.stride - t.padding + r * t.dilation, to.w * t.stride - t.padding + s * t.dilation, c);
        needs.add(weight, to.c, r, s, c);
      }
  if (named('bias')) needs.add_flat(named('bias'), to.c);
  needs.text = `all channels of x under the ${t.height}x${t.width} taps of the filter, times the filter of channel ${to.c}`;
}
function conv_input_gradient(needs, to, dy) {
  const weight = named('weight'), t = taps_of(weight), outputs = weight.shape[0], [, rows, columns] = dy.shape;
  for (let r = 0; r < t.height; ++r)
    for (let s = 0; s < t.width; ++s) {
      const p = (to.h + t.padding - r * t.dilation) / t.stride, q = (to.w + t.padding - s * t.dilation) / t.stride;
      const is_output = Number.isInteger(p) && Number.isInteger(q) && p >= 0 && q >= 0 && p < rows && q < columns;
      for (let k = 0; is_output && k < outputs; ++k) needs.add(dy, to.n, p, q, k), needs.add(weight, k, r, s, to.c);
    }
  needs.text = 'the gradients of all outputs that read this element, times the weights they read it with';
}
function conv_weight_gradient(needs, to, dy) {
  const x = named('x'), t = taps_of(named('weight')), [planes, rows, columns] = dy.shape;
  for (let n = 0; n < planes; ++n)
    for (let p = 0; p < rows; ++p)
      for (let q = 0; q < columns; ++q) {
        needs.add(dy, n, p, q, to.n);
        needs.add(x, n, p * t.stride - t.padding + to.h * t.dilation, q * t.stride - t.padding + to.w * t.dilation, to.c);
      }
  needs.text = `channel ${to.c} of x, moved by this tap, times the gradients of channel ${to.n} at all pixels`;
}

// The two sources of an output coordinate and their weights (PyTorch's conventions).
function bilinear_sources(p, from, to) {
  const aligned = number_of('align_corners', 0) !== 0;
  const at = Math.min(from - 1, Math.max(0, aligned ? (to > 1 ? p * (from - 1) / (to - 1) : 0) : (p + .5) * from / to - .5));
  const first = Math.floor(at), rest = at - first;
  return rest > 1e-9 ? [first, first + 1] : [first];
}
function bilinear_forward(needs, to, output) {
  const x = named('x');
  for (const h of bilinear_sources(to.h, x.shape[1], output.shape[1]))
    for (const w of bilinear_sources(to.w, x.shape[2], output.shape[2])) needs.add(x, to.n, h, w, to.c);
  needs.text = 'the pixels of x around its place';
}
function bilinear_backward(needs, to, dy, dx) {
  for (let p = 0; p < dy.shape[1]; ++p)
    if (bilinear_sources(p, dx.shape[1], dy.shape[1]).includes(to.h))
      for (let q = 0; q < dy.shape[2]; ++q)
        if (bilinear_sources(q, dx.shape[2], dy.shape[2]).includes(to.w)) needs.add(dy, to.n, p, q, to.c);
  needs.text = 'the gradients of all output pixels that mix this pixel in';
}

function batch_norm_needs(needs, to, dy) {
  const relu = number_of('relu', 1) !== 0, residual = named('residual');
  needs.add_channel(named('x'), to.c);
  if (dy) needs.add_channel(dy, to.c);
  for (const name of relu || !dy ? ['gamma', 'beta'] : ['gamma']) needs.add_flat(named(name), to.c);
  if (residual && (relu || !dy)) dy ? needs.add_channel(residual, to.c) : needs.add(residual, to.n, to.h, to.w, to.c);
  needs.text = dy ? `the whole channel ${to.c}, over which sums of the gradient are taken${relu ? '; where ReLU gave 0, the gradient counts as 0' : ''}` :
    `the whole channel ${to.c}, whose mean and variance it is normalized with${residual ? ', and this element of the residual' : ''}${relu ? '; ReLU makes it 0 where it is negative' : ''}`;
}
function loss_needs(needs, to, dlogits) {
  needs.add_all(named('logits'));
  needs.add_all(named('labels'));
  needs.text = dlogits ? 'all logits and labels, since Dice divides by sums over them' : 'sums over all logits and labels';
}

// The gradient that comes from outside, under the name that the trace gives it.
const incoming = () => trace.buffers.find(b => b.name === 'gradient of output' || b.name === 'gradient');
const NEEDS = {
  conv2d(needs, buffer, to) {
    if (buffer.name === 'output') conv_forward(needs, to);
    else if (buffer.name === 'gradient of x') conv_input_gradient(needs, to, incoming());
    else if (buffer.name === 'gradient of weight') conv_weight_gradient(needs, to, incoming());
  },
  bilinear(needs, buffer, to) {
    if (buffer.name === 'output') bilinear_forward(needs, to, buffer);
    else if (buffer.name === 'gradient of x') bilinear_backward(needs, to, incoming(), buffer);
  },
  batch_norm(needs, buffer, to) {
    if (buffer.name === 'output') batch_norm_needs(needs, to);
    else if (buffer.name === 'gradient of x') batch_norm_needs(needs, to, incoming());
  },
  bce_dice(needs, buffer, to) {
    if (buffer.name === 'output') loss_needs(needs, to, false);
    else if (buffer.name === 'gradient of logits') loss_needs(needs, to, true);
  },
};

// null where the op's definition is not known here: then the page shows what the thread read.
function needs_of(buffer, index) {
  const of_op = NEEDS[trace.op], needs = new Needs();
  if (!of_op || buffer.shared) return null;
  of_op(needs, buffer, buffer.place(index));
  return needs.text ? needs : null;
}
