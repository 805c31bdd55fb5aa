// SIGINT, SIGTERM and SIGHUP ask a training to stop after its step; a second SIGINT or SIGTERM ends the program at
// once.
#pragma once

namespace atrous::app {

void watch_interrupts();    // SIGHUP only where it is not ignored already, as under nohup
void unwatch_interrupts();  // from here on they end the program at once
int interrupt_signal();     // 0: none yet

}  // namespace atrous::app
