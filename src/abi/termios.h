/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals: struct termios and winsize of the kernel's ABI (36 and 8 bytes,
 * not the C library's), their flags, and the ioctls.
 */
#pragma once

#include <stdint.h>

#define NCCS_KERNEL 19

struct ktermios {
	uint32_t c_iflag, c_oflag, c_cflag, c_lflag;
	uint8_t c_line;
	uint8_t c_cc[NCCS_KERNEL];
};

struct winsize {
	uint16_t ws_row, ws_col, ws_xpixel, ws_ypixel;
};

_Static_assert(sizeof(struct ktermios) == 36, "struct termios");
_Static_assert(sizeof(struct winsize) == 8, "struct winsize");

/* c_cc */
#define VINTR	 0
#define VQUIT	 1
#define VERASE	 2
#define VKILL	 3
#define VEOF	 4
#define VTIME	 5
#define VMIN	 6
#define VSTART	 8
#define VSTOP	 9
#define VSUSP	 10
#define VEOL	 11
#define VREPRINT 12
#define VDISCARD 13
#define VWERASE	 14
#define VLNEXT	 15
#define VEOL2	 16

/* c_iflag */
#define IGNBRK	0000001u
#define BRKINT	0000002u
#define IGNPAR	0000004u
#define PARMRK	0000010u
#define INPCK	0000020u
#define ISTRIP	0000040u
#define INLCR	0000100u
#define IGNCR	0000200u
#define ICRNL	0000400u
#define IUCLC	0001000u
#define IXON	0002000u
#define IXANY	0004000u
#define IXOFF	0010000u
#define IMAXBEL 0020000u
#define IUTF8	0040000u

/* c_oflag */
#define OPOST  0000001u
#define OLCUC  0000002u
#define ONLCR  0000004u
#define OCRNL  0000010u
#define ONOCR  0000020u
#define ONLRET 0000040u
#define TABDLY 0014000u
#define XTABS  0014000u

/* c_cflag */
#define CBAUD  0010017u
#define B38400 0000017u
#define CSIZE  0000060u
#define CS8    0000060u
#define CREAD  0000200u
#define HUPCL  0002000u

/* c_lflag */
#define ISIG	0000001u
#define ICANON	0000002u
#define ECHO	0000010u
#define ECHOE	0000020u
#define ECHOK	0000040u
#define ECHONL	0000100u
#define NOFLSH	0000200u
#define TOSTOP	0000400u
#define ECHOCTL 0001000u
#define ECHOPRT 0002000u
#define ECHOKE	0004000u
#define FLUSHO	0010000u
#define PENDIN	0040000u
#define IEXTEN	0100000u

#define TCGETS	     0x5401
#define TCSETS	     0x5402
#define TCSETSW	     0x5403
#define TCSETSF	     0x5404
#define TCSBRK	     0x5409
#define TCXONC	     0x540a
#define TCFLSH	     0x540b
#define TIOCEXCL     0x540c
#define TIOCNXCL     0x540d
#define TIOCSCTTY    0x540e
#define TIOCGPGRP    0x540f
#define TIOCSPGRP    0x5410
#define TIOCOUTQ     0x5411
#define TIOCSTI	     0x5412
#define TIOCGWINSZ   0x5413
#define TIOCSWINSZ   0x5414
#define TIOCGSOFTCAR 0x5419
#define TIOCPKT	     0x5420
#define TIOCNOTTY    0x5422
#define TIOCSETD     0x5423
#define TIOCGETD     0x5424
#define TCSBRKP	     0x5425
#define TIOCGSID     0x5429
#define TIOCSBRK     0x5427
#define TIOCCBRK     0x5428
#define TIOCVHANGUP  0x5437
#define FIONREAD_TTY 0x541b /* FIONREAD, TIOCINQ */

/* TCXONC and TCFLSH */
#define TCOOFF	  0
#define TCOON	  1
#define TCIOFF	  2
#define TCION	  3
#define TCIFLUSH  0
#define TCOFLUSH  1
#define TCIOFLUSH 2

/* Ptys: ioctls of asm-generic/ioctls.h; the numbers hold the size. */
#define TIOCGPTN    0x80045430u
#define TIOCSPTLCK  0x40045431u
#define TIOCSIG	    0x40045436u
#define TIOCGPKT    0x80045438u
#define TIOCGPTLCK  0x80045439u
#define TIOCGEXCL   0x80045440u
#define TIOCGPTPEER 0x5441

/* The first byte of a read in packet mode */
#define TIOCPKT_DATA	   0u
#define TIOCPKT_FLUSHREAD  1u
#define TIOCPKT_FLUSHWRITE 2u
#define TIOCPKT_STOP	   4u
#define TIOCPKT_START	   8u
#define TIOCPKT_NOSTOP	   16u
#define TIOCPKT_DOSTOP	   32u

#define TTYAUX_MAJOR 5u /* minor 0: tty, 1: console, 2: ptmx */
#define PTS_MAJOR    136u
