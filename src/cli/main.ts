#!/usr/bin/env node
// The `ferrule` command. This file only sets up the engine, which must come before everything else is loaded, and loads the program;
// what the arguments mean is in `command-line.ts`.

import './small-heap.js'; // first: see there
import { exitProcess } from './exit-process.js';
import { loadProgram } from './program.js';

const { runCommandLine } = await loadProgram(process.env);
// Not process.exitCode: a library's forgotten handle must not keep a finished command alive.
await exitProcess(await runCommandLine());
