/* SPDX-License-Identifier: Apache-2.0 */
const char *__lsan_default_suppressions(void);
