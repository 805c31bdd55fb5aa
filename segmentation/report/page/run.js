// A run as the page asks it, whatever its files lack.

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
  // Validation scores beside the loss, without details unless one of them is monitored.
  scores() {
    return this.columns.filter(c => c.key.startsWith('val_') && c.key !== 'val_loss' && (!c.detail || c.key === this.monitored()));
  }
  monitored() {
    const word = this.setting('monitor') || 'dice';
    const column = this.columns.find(c => c.monitor === word);
    return column ? column.key : 'val_' + word;
  }
  setting(key) { return (this.settings.find(s => s.key === key) || {}).value; }
  // The row of the best epoch: the record's, else that of the monitored column.
  best_row() {
    const epochs = this.values('epoch');
    if (this.best.epoch) return this.rows[epochs.indexOf(this.best.epoch)];
    const key = this.has(this.monitored()) ? this.monitored() : 'val_loss', values = this.values(key);
    const higher = (this.columns[this.column(key)] || {}).higher_is_better !== false;
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
