// SPDX-License-Identifier: Apache-2.0
/*
 *   storm judge FILE PAIRS OPERATIONS SEED FIRST-PAIR FIRST-EPISODE BREAK AT
 *   storm end FILE PAIRS twin|mesh client|server HOST PORT
 *
 * The judge makes FILE, says `ready`, and the ends begin when all four are there.
 */
#include "storm.h"

#include <string.h>

int main(int count, char **words)
{
	if (count == 10 && strcmp(words[1], "judge") == 0)
		return judge_main(words + 2);
	if (count == 8 && strcmp(words[1], "end") == 0)
		return end_main(words + 2);
	fprintf(stderr, "usage: storm judge|end …, see main.c\n");
	return 2;
}
