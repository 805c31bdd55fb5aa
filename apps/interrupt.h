// SIGINT, SIGTERM and SIGHUP ask a training to stop after its step, and a prediction after its row of windows; a second
// SIGINT or SIGTERM ends the program at once.
#pragma once

namespace atrous::app {

// SIGHUP only where it is not ignored already, as under nohup. `part` is what ends first, a literal.
void watch_interrupts(const char* part);
void unwatch_interrupts();  // from here on they end the program at once
int interrupt_signal();     // 0: none yet

}  // namespace atrous::app
