# SPDX-License-Identifier: Apache-2.0
# What x86-64 adds to the kernel's build: its flags, and the vDSO, a small
# shared object of its own that is embedded in the kernel as bytes.

ARCH_CFLAGS := -m64 -march=x86-64 -mno-red-zone -mgeneral-regs-only \
	-mcmodel=small -mstack-protector-guard=global -fcf-protection=none \
	-fno-jump-tables

VDSO_DIR := src/arch/x86_64/vdso
$(K)/obj/vdso.so: $(VDSO_DIR)/vdso.c $(VDSO_DIR)/sigreturn.S \
		$(VDSO_DIR)/vdso.lds src/arch/x86_64/vvar.h
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -ffreestanding -fPIC -fno-stack-protector \
		-fno-asynchronous-unwind-tables -fcf-protection=none \
		-fvisibility=hidden -mgeneral-regs-only \
		-Wall -Wextra -Werror -I src -I src/arch/x86_64/include \
		-shared -nostdlib -Wl,-soname=linux-vdso.so.1 \
		-Wl,--hash-style=both -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -Wl,-T,$(VDSO_DIR)/vdso.lds \
		-Wl,--no-undefined $(VDSO_DIR)/vdso.c $(VDSO_DIR)/sigreturn.S -o $@
	$(Q)objcopy -S $@

$(K)/obj/src/arch/x86_64/vdso_blob.S.o: $(K)/obj/vdso.so
$(K)/obj/src/arch/x86_64/vdso_blob.S.o: ARCH_CFLAGS += -DVDSO_SO='"$(K)/obj/vdso.so"'
