// What a rig throws: its message is what a failing test prints, so it says what was expected and shows what happened.

import { FerruleError } from '../core/errors.js';

/**
 * Something did not come about as the test wants it. `code`: `rig-expectation` (an `expect` that waited in vain; the message
 * ends with the timeline), `rig-start` (the gateway did not come up; the message ends with its log), `rig-config` (the config,
 * or a name that is not in it), `rig-request` (the gateway answered a request with an error), `rig-ended` (asked after the end).
 */
export class RigError extends FerruleError {}
