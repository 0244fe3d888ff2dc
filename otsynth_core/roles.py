"""What a map of a material is of, as its name tells by the usual conventions, and how much it weighs beside others."""

from __future__ import annotations

import re

ROLES = {
    "color": 1.0,
    "normal": 0.6,
    "normal_dx": 0.6,
    "height": 1.0,
    "roughness": 0.4,
    "metallic": 0.4,
    "specular": 0.4,
    "ao": 0.4,
    "packed": 0.4,
    "emission": 0.5,
    "alpha": 0.5,
    "id": 0.5,
    "other": 0.25,
}
"""Each role and its weight: what share of the leading map's spread a map's is made before patches are compared."""

NORMALS = ("normal", "normal_dx")
"""Vectors: OpenGL's, whose y points up in the image, and DirectX', whose y points down."""

WORDS = {
    "color": "basecolor color colour col albedo diffuse diff basecolour albedotransparency",
    "normal": "normal normals normalgl normalogl normalopengl normalmapgl normalmapogl norgl nor",
    "normal_dx": "normaldx normaldirectx normalmapdx nordx nrmdx dxnormal directxnormal",
    "height": "height displacement disp bumpmap",
    "roughness": "roughness rough",
    "metallic": "metallic metalness",
    "specular": "specular spec specularity specularsmoothness",
    "ao": "ao ambientocclusion mixedao occlusion",
    "packed": "orm arm rma mra mro rmo ordp dpr occlusionroughnessmetallic occlusionroughnessmetalness"
    " metallicsmoothness metallicroughness",
    "emission": "emission emissive emit",
    "alpha": "opacity",
    "id": "id colorid materialid matid idmask",
}
"""Endings of a file's name that tell, alone; "map" may follow any."""

SHORT = {
    "color": "d bc base c alb",
    "normal": "n nrm norm nml ngl nrmgl",
    "normal_dx": "ndx",
    "height": "h dp bump",
    "roughness": "r rgh smoothness gloss glossiness",
    "metallic": "m metal mtl mtllc",
    "specular": "s",
    "ao": "o occ",
    "packed": "mask",
    "emission": "e em",
    "alpha": "a alpha maskalpha transparency",
    "id": "ids",
    "other": "cavity curvature transmission translucency translucent subsurface sss scattering sheen clearcoat"
    " normalbump",
}
"""Endings that tell among the maps of one material only, "map" after them or not: a picture called brushed_metal is of
colour."""

_NO_ROLE = re.compile(
    r"(_(\d+k|\d+|png|jpg|jpeg|exr|tif|tiff|8bit|16bit|lod\d|udim|tile|synthesized?|fill|filled|render|rendered|seamless|mix|mixed|t\d{3}))+$"
)


def kin(role: str, other: str) -> bool:
    """Whether a map of one role can stand for one of another: the same, or normals whose y is turned."""
    return role == other or {role, other} == set(NORMALS)


def guessed(name: str, among: bool) -> str | None:
    """The role that a file's or an image's name ends in, None where it tells nothing; among: other maps of the same.

    "rock_04_nor_gl_2k.exr" -> "normal", "T_Rock_ORM" -> "packed", "Rock004_4K-JPG_AmbientOcclusion" -> "ao".
    """
    stem = re.sub(r"\.[A-Za-z]\w{1,4}$", "", name)
    stem = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", stem).lower()
    stem = _NO_ROLE.sub("", "_" + re.sub(r"[^a-z0-9]+", "_", stem).strip("_"))
    tokens = stem.split("_")[1:]
    tables = (WORDS, SHORT) if among else (WORDS,)
    for length in (3, 2, 1):
        end = "".join(tokens[-length:])
        for word in (end, end.removesuffix("map")):
            for table in tables:
                for role, words in table.items():
                    if word in words.split():
                        return role
    return None
