# SPDX-License-Identifier: Apache-2.0
add_library(nsrp_rto_worker STATIC
  defer_worker.cc helper_thread.cc rto_adoption.cc rto_arp.cc rto_channel.cc rto_classes.cc rto_connection.cc rto_count.cc
  rto_installer.cc rto_mac.cc rto_rm.cc rto_sessions.cc rto_set_aside.cc rto_timeouts.cc rto_worker.cc
  rto_worker_actions.cc rto_worker_turns.cc)
target_link_libraries(nsrp_rto_worker PUBLIC nsrp_rto nsrp_wire nsrp_io nsrp_kernel Threads::Threads)
