"""The five published calls of ASM's grayscale releases, served at /v2/meshes/…"""
