/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of `pith`; each takes the words after its name and returns
 * the status that pith ends with.
 */
#pragma once

int command_run(int argc, char **argv);
int command_build(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_ls(int argc, char **argv);
int command_cp(int argc, char **argv);
int command_doctor(int argc, char **argv);
