#!/usr/bin/env node
// The `ferrule` command. This file only sets up the engine, which must come before everything else is loaded; what the arguments
// mean is in `command-line.ts`.

import './small-heap.js'; // first: see there
import { keepCompiled } from './compile-cache.js';

keepCompiled(process.env);
const { runCommandLine } = await import('./command-line.js');
// Not process.exitCode: a library's forgotten handle must not keep a finished command alive.
process.exit(await runCommandLine());
