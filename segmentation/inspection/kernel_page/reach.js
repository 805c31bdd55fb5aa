// ---- where an element of a result comes from, by the op's definition

// What an element needs: by array its elements, and the taps that lie in the padding.
class Needs {
  constructor() { Object.assign(this, {elements: new Map(), dead: new Map(), text: ''}); }
  add(buffer, n, h, w, c) {
    if (!buffer) return;
    if (!this.elements.has(buffer.index)) this.elements.set(buffer.index, new Set());
    const [planes, rows, columns, channels] = buffer.dims, within = h >= 0 && w >= 0 && h < rows && w < columns;
    if (!within) {
      if (!this.dead.has(buffer.index)) this.dead.set(buffer.index, []);
      if (!this.dead.get(buffer.index).some(t => t.n === n && t.h === h && t.w === w)) this.dead.get(buffer.index).push({n, h, w});
    } else if (n < planes && c < channels) this.elements.get(buffer.index).add(buffer.element_at(n, h, w, c));
  }
  add_flat(buffer, i) {
    if (!buffer) return;
    if (!this.elements.has(buffer.index)) this.elements.set(buffer.index, new Set());
    this.elements.get(buffer.index).add(i);
  }
  add_channel(buffer, c) {
    if (!buffer) return;
    const [planes, rows, columns] = buffer.dims;
    for (let n = 0; n < planes; ++n) for (let h = 0; h < rows; ++h) for (let w = 0; w < columns; ++w) this.add(buffer, n, h, w, c);
  }
  add_all(buffer) {
    if (!buffer) return;
    if (buffer.flat) for (let i = 0; i < buffer.count; ++i) this.add_flat(buffer, i);
    else for (let c = 0; c < buffer.dims[3]; ++c) this.add_channel(buffer, c);
  }
}

const named = name => trace.buffers.find(b => b.name === name);
const number_of = (name, otherwise) => table_of(trace.numbers)[name] ?? otherwise;  // absent where none was given

function taps_of(weight) {
  const side = weight.shape[1], dilation = number_of('dilation', 1);
  return {height: weight.shape[1], width: weight.shape[2], dilation, stride: number_of('stride', 1),
          padding: number_of('padding', Math.floor(dilation * (side - 1) / 2))};
}

// Weights of 1x1 have no picture of rows and columns: they are a list.
function add_weight(needs, weight, k, r, s, c) {
  if (weight.flat) needs.add_flat(weight, ((k * weight.shape[1] + r) * weight.shape[2] + s) * weight.shape[3] + c);
  else needs.add(weight, k, r, s, c);
}

function conv_forward(needs, to) {
  const x = named('x'), weight = named('weight'), t = taps_of(weight), channels = x.shape[3];
  for (let r = 0; r < t.height; ++r)
    for (let s = 0; s < t.width; ++s)
      for (let c = 0; c < channels; ++c) {
        needs.add(x, to.n, to.h * t.stride - t.padding + r * t.dilation, to.w * t.stride - t.padding + s * t.dilation, c);
        add_weight(needs, weight, to.c, r, s, c);
      }
  if (named('bias')) needs.add_flat(named('bias'), to.c);
  needs.text = `all channels of x under the ${t.height}x${t.width} taps of the filter, times the filter of channel ${to.c}`;
}
function conv_input_gradient(needs, to, dy) {
  const weight = named('weight'), t = taps_of(weight), outputs = weight.shape[0];
  for (let r = 0; r < t.height; ++r)
    for (let s = 0; s < t.width; ++s) {
      const h = to.h + t.padding - r * t.dilation, w = to.w + t.padding - s * t.dilation;
      if (h % t.stride || w % t.stride) continue;
      for (let k = 0; k < outputs; ++k) needs.add(dy, to.n, h / t.stride, w / t.stride, k), add_weight(needs, weight, k, r, s, to.c);
    }
  needs.text = 'the gradients of all outputs that read this element, times the weights they read it with';
}
function conv_weight_gradient(needs, to, dy) {
  const x = named('x'), t = taps_of(named('weight')), [planes, rows, columns] = dy.dims;
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
  for (const h of bilinear_sources(to.h, x.dims[1], output.dims[1]))
    for (const w of bilinear_sources(to.w, x.dims[2], output.dims[2])) needs.add(x, to.n, h, w, to.c);
  needs.text = 'the pixels of x around its place';
}
function bilinear_backward(needs, to, dy, dx) {
  for (let p = 0; p < dy.dims[1]; ++p)
    if (bilinear_sources(p, dx.dims[1], dy.dims[1]).includes(to.h))
      for (let q = 0; q < dy.dims[2]; ++q)
        if (bilinear_sources(q, dx.dims[2], dy.dims[2]).includes(to.w)) needs.add(dy, to.n, p, q, to.c);
  needs.text = 'the gradients of all output pixels that mix this pixel in';
}

function batch_norm_needs(needs, to, forward, dy) {
  needs.add_channel(named('x'), to.c);
  if (dy) needs.add_channel(dy, to.c);
  for (const name of ['gamma', 'beta']) if (named(name)) needs.add_flat(named(name), to.c);
  needs.text = `the whole channel ${to.c}, ${forward ? 'whose mean and variance it is normalized with' : 'over which sums of the gradient are taken'}`;
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
    else if (buffer.name === 'gradient of weight' && !buffer.flat) conv_weight_gradient(needs, to, incoming());
  },
  bilinear(needs, buffer, to) {
    if (buffer.name === 'output') bilinear_forward(needs, to, buffer);
    else if (buffer.name === 'gradient of x') bilinear_backward(needs, to, incoming(), buffer);
  },
  batch_norm(needs, buffer, to) {
    if (buffer.name === 'output') batch_norm_needs(needs, to, true);
    else if (buffer.name === 'gradient of x') batch_norm_needs(needs, to, false, incoming());
  },
  bce_dice(needs, buffer, to) {
    if (buffer.name === 'output') loss_needs(needs, to, false);
    else if (buffer.name === 'gradient of logits') loss_needs(needs, to, true);
  },
};

// null where the op's definition is not known here: then the page shows what the thread read.
function needs_of(buffer, index) {
  const of_op = NEEDS[trace.op], needs = new Needs();
  if (!of_op || buffer.shared || buffer.flat && buffer.shape.length === 4) return null;
  of_op(needs, buffer, buffer.place(index));
  return needs.text ? needs : null;
}
