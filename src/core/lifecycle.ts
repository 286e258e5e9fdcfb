// The states of a group and the legal steps between them: one table for devices and for the MQTT uplink.
//
//   idle -> connecting -> online <-> silent
//              ^  |          |         |
//              |  +----------+---------+--> backing-off -> connecting
//              +-- parked <--(too many crashes)                        any of them -> closing -> closed

import type { TransitionTable } from './state-machine.js';

export type GroupState = 'idle' | 'connecting' | 'online' | 'silent' | 'backing-off' | 'parked' | 'closing' | 'closed';

export const GROUP_TRANSITIONS: TransitionTable<GroupState> = {
  idle: ['connecting', 'closing'],
  connecting: ['online', 'backing-off', 'parked', 'closing'],
  online: ['silent', 'backing-off', 'parked', 'closing'],
  silent: ['online', 'backing-off', 'parked', 'closing'],
  'backing-off': ['connecting', 'parked', 'closing'],
  parked: ['connecting', 'closing'],
  closing: ['closed'],
  closed: [],
};
