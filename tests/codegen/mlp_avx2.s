# rustc 1.95.0 (59807616e 2026-04-14), x86_64-unknown-linux-gnu
    mov rsi, qword ptr [rdi]
    mov rcx, qword ptr [rdi + 8]
    mov rax, qword ptr [rdi + 16]
    vbroadcastss ymm0, dword ptr [rsi + 28]
    vbroadcastss ymm1, dword ptr [rsi + 12]
    vmulps ymm1, ymm1, ymmword ptr [rcx + 96]
    vfmadd231ps ymm1, ymm0, ymmword ptr [rcx + 224]
    vbroadcastss ymm0, dword ptr [rsi + 20]
    vbroadcastss ymm2, dword ptr [rsi + 4]
    vmulps ymm2, ymm2, ymmword ptr [rcx + 32]
    vfmadd231ps ymm2, ymm0, ymmword ptr [rcx + 160]
    vbroadcastss ymm0, dword ptr [rsi + 24]
    vbroadcastss ymm3, dword ptr [rsi + 8]
    vmulps ymm3, ymm3, ymmword ptr [rcx + 64]
    vfmadd231ps ymm3, ymm0, ymmword ptr [rcx + 192]
    vbroadcastss ymm0, dword ptr [rsi + 16]
    mov rdx, qword ptr [rdi + 24]
    vbroadcastss ymm4, dword ptr [rsi]
    vmovaps ymm5, ymmword ptr [rcx]
    vfmadd213ps ymm5, ymm4, ymmword ptr [rcx + 256]
    vfmadd231ps ymm5, ymm0, ymmword ptr [rcx + 128]
    vaddps ymm0, ymm1, ymm2
    vaddps ymm1, ymm3, ymm5
    vaddps ymm1, ymm0, ymm1
    vxorps xmm0, xmm0, xmm0
    vmaxps ymm1, ymm0, ymm1
    vmovaps ymmword ptr [rdx], ymm1
    vshufps ymm2, ymm1, ymm1, 255
    vpermpd ymm2, ymm2, 170
    vshufps xmm3, xmm1, xmm1, 255
    vbroadcastss ymm3, xmm3
    vmulps ymm3, ymm3, ymmword ptr [rcx + 384]
    vfmadd231ps ymm3, ymm2, ymmword ptr [rcx + 512]
    vmovshdup ymm2, ymm1
    vpermpd ymm2, ymm2, 170
    vmovshdup xmm4, xmm1
    vbroadcastss ymm4, xmm4
    vmulps ymm4, ymm4, ymmword ptr [rcx + 320]
    vfmadd231ps ymm4, ymm2, ymmword ptr [rcx + 448]
    vaddps ymm2, ymm3, ymm4
    vshufps ymm3, ymm1, ymm1, 170
    vshufpd xmm4, xmm1, xmm1, 1
    vbroadcastss ymm4, xmm4
    vmulps ymm4, ymm4, ymmword ptr [rcx + 352]
    vpermpd ymm3, ymm3, 170
    vfmadd231ps ymm4, ymm3, ymmword ptr [rcx + 480]
    vextractf128 xmm3, ymm1, 1
    vbroadcastss ymm1, xmm1
    vmovaps ymm5, ymmword ptr [rcx + 288]
    vfmadd213ps ymm5, ymm1, ymmword ptr [rcx + 544]
    vbroadcastss ymm1, xmm3
    vfmadd231ps ymm5, ymm1, ymmword ptr [rcx + 416]
    vaddps ymm1, ymm4, ymm5
    vaddps ymm1, ymm2, ymm1
    vmaxps ymm0, ymm0, ymm1
    vmovaps ymmword ptr [rdx + 64], ymm0
    vmovss xmm1, dword ptr [rcx + 608]
    vblendps ymm1, ymm1, ymmword ptr [rip + .constant0], 254
    vfmadd231ps ymm1, ymm0, ymmword ptr [rcx + 576]
    vextractf128 xmm0, ymm1, 1
    vaddps xmm0, xmm1, xmm0
    vmovshdup xmm1, xmm0
    vaddps xmm0, xmm0, xmm1
    vshufpd xmm1, xmm0, xmm0, 1
    vaddss xmm0, xmm0, xmm1
    vmovss dword ptr [rax], xmm0
    vzeroupper
    ret
