// SIGINT and SIGTERM ask a training to stop after its step; a second signal ends the program at once.
#pragma once

namespace atrous::app {

void watch_interrupts();
int interrupt_signal();  // 0: none yet

}  // namespace atrous::app
